from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option
from gitexp.cli.interrupted import interrupted_experiments, local_experiments
from gitexp.cli.progress import Terminal
from gitexp.errors import GitexpError
from gitexp.git.moved_refs import clear_locks
from gitexp.git.repository import Repository
from gitexp.git.scratch import clear_scratch
from gitexp.iteration.recovery import recover as clear_up
from gitexp.loop.proposing import forget_proposing
from gitexp.text import printable


@click.command()
@experiment_option
def recover(name: str | None) -> None:
    """Clean up after a gitexp that died: seal its result, or hand its edit back.

    The next step does this by itself. Nothing is lost either way: a finished measurement is sealed, a run that still
    goes on is ended, and an edit that is no longer in the work tree is kept as a ref.

    \b
    Example:
      gitexp recover
    """
    repo = Repository.discover(Path.cwd())
    clear_scratch(repo)
    for lock in clear_locks(repo):
        click.echo(
            f"Cleared {printable(str(lock))}: a gitexp, or its git, was killed while it moved that ref.", err=True
        )
    if not interrupted_experiments(repo, name):
        click.echo("Nothing to recover.")
    refused: list[GitexpError] = []
    for place in local_experiments(repo, name):
        if not place.holder()[0]:
            try:
                with place.locked(repo, "recover"):
                    clear_up(repo, place, Terminal())
                    forget_proposing(place)  # the edit in the work tree is that person's now
            except GitexpError as refusal:  # try the other experiments first
                refused.append(refusal)
    if refused:
        raise refused[0]
