from __future__ import annotations

from pathlib import Path

import click

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.model import BRANCH_PREFIX
from gitexp.run import hooks
from gitexp.text import short


@click.command()
@click.option(
    "--install",
    is_flag=False,
    flag_value=hooks.NAME,
    type=click.Choice(hooks.NAMES),
    help=f"Install gitexp's own hook, unless there is one already ({hooks.NAME} by default).",
)
def hook(install: str | None) -> None:
    """Show the hooks, or install one.

    post-run trains and measures. Two more are optional: pre-run is a gate before any training, and post-step is told
    each verdict. A clone carries no hooks: nothing from somebody else's repository runs before you install one. Any
    executable may be a hook; the comment at the top of gitexp's own says what it is given and what it must answer.

    \b
    Examples:
      gitexp hook --install
      gitexp hook --install pre-run
    """
    repo = Repository.discover(Path.cwd())
    if install and hooks.install(repo, install) is None:
        raise GitexpError(f"There is a hook already: {repo.hook_path(install)}.", "gitexp hook")
    for name in hooks.NAMES[1:]:
        if optional := hooks.optional(repo, name):
            click.echo(optional)
    path = hooks.find(repo)
    blob = hooks.blob(repo, path)
    click.echo(f"{path} ({short(blob)})")
    branch = refs.current_branch(repo) or ""
    if branch.startswith(BRANCH_PREFIX):
        sealed = history.load(repo, history.current_name(repo)).contract.hook
        click.echo("The baseline was measured with " + ("it." if sealed == blob else f"another one ({short(sealed)})."))
