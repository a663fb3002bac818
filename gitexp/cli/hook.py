from __future__ import annotations

from pathlib import Path

import click

from gitexp import history
from gitexp import hook as hooks
from gitexp.errors import GitexpError
from gitexp.git import Repository
from gitexp.model import BRANCH_PREFIX


@click.command()
@click.option("--install", is_flag=True, help="Put gitexp's own hook in place, if there is none.")
def hook(install: bool) -> None:
    """Show the post-run hook, or install it.

    A clone carries no hooks: nothing from somebody else's repository runs before you install one. Any executable may
    be the hook; what it is given and what it answers stands at the top of gitexp's own.

    \b
    Example:
      gitexp hook --install
    """
    repo = Repository.discover(Path.cwd())
    if install and hooks.install(repo) is None:
        raise GitexpError(f"There is a hook already: {repo.hook_path(hooks.NAME)}.", "gitexp hook")
    path = hooks.find(repo)
    blob = hooks.blob(repo, path)
    click.echo(f"{path} ({blob[:10]})")
    branch = repo.branch() or ""
    if branch.startswith(BRANCH_PREFIX):
        sealed = history.load(repo, history.current_name(repo)).contract.hook
        click.echo("The baseline was measured with " + ("it." if sealed == blob else f"another one ({sealed[:10]})."))
