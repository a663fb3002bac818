from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option
from gitexp.cli.interrupted import interrupted_experiments
from gitexp.cli.progress import Terminal
from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.iteration.recovery import abort as give_back
from gitexp.loop.proposing import forget_proposing
from gitexp.text import visible_list


@click.command()
@experiment_option
def abort(name: str | None) -> None:
    """Hand the edit of an interrupted step back, unsealed, even if it was measured.

    \b
    Example:
      gitexp abort
    """
    repo = Repository.discover(Path.cwd())
    interrupted = interrupted_experiments(repo, name)
    if len(interrupted) > 1:
        experiments = visible_list(place.name for place in interrupted)
        raise GitexpError(f"More than one experiment has an interrupted step: {experiments}.", "gitexp abort -e NAME")
    if not interrupted:
        click.echo("Nothing to abort.")
    for place in interrupted:
        with place.locked(repo, "abort"):
            give_back(repo, place, Terminal())
            forget_proposing(place)
