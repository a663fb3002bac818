from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option
from gitexp.cli.progress import Terminal
from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.iteration.recovery import abort as give_back
from gitexp.iteration.recovery import recover as clear_up
from gitexp.iteration.status import pending, places
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import BRANCH_PREFIX


@click.command()
@experiment_option
def recover(name: str | None) -> None:
    """Finish what a gitexp that died had measured, or hand its edit back.

    The next step does this by itself. Nothing is lost either way: a finished measurement is sealed, a run that is still
    going on is ended, and an edit that is no longer in the work tree is kept as a ref.

    \b
    Example:
      gitexp recover
    """
    repo = Repository.discover(Path.cwd())
    if not _left(repo, name):
        click.echo("Nothing to recover.")
    refused: list[GitexpError] = []
    for place in _asked(repo, name):
        if not place.holder()[0]:
            try:
                with place.locked(repo, "recover"):
                    clear_up(repo, place, Terminal())
                    place.forget_proposing()  # what lies in the work tree is that person's now
            except GitexpError as refusal:  # the others need not wait for this one
                refused.append(refusal)
    if refused:
        raise refused[0]


@click.command()
@experiment_option
def abort(name: str | None) -> None:
    """Hand the edit of an interrupted step back, unsealed, even if it was measured.

    \b
    Example:
      gitexp abort
    """
    repo = Repository.discover(Path.cwd())
    left = _left(repo, name)
    if len(left) > 1:
        names = ", ".join(place.name for place in left)
        raise GitexpError(f"More than one experiment has an interrupted step: {names}.", "gitexp abort -e NAME")
    if not left:
        click.echo("Nothing to abort.")
    for place in left:
        with place.locked(repo, "abort"):
            give_back(repo, place, Terminal())
            place.forget_proposing()


def _left(repo: Repository, name: str | None) -> list[ExperimentFiles]:
    """The experiments in which something is left of a gitexp that died. Raises for one that is at it."""
    found = [(place, step) for place in _asked(repo, name) if (step := pending(repo, place))]
    for place, step in found:
        if step.holder and (name or len(found) == 1):
            raise GitexpError(
                f"{place.branch} is in use by {step.holder}.", f"kill {step.process}   # ends the run, the edit stays"
            )
    return [place for place, step in found if not step.holder]


def _asked(repo: Repository, name: str | None) -> list[ExperimentFiles]:
    return [ExperimentFiles.of(repo, name.removeprefix(BRANCH_PREFIX))] if name else list(places(repo))
