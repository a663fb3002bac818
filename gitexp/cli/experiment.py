"""The experiments that a command is about: the one checked out, or the one it names, or all that have files here."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.git.scratch import clear_scratch
from gitexp.iteration.status import pending, places
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX

experiment_option = click.option(
    "-e", "--experiment", "name", metavar="NAME", help="An experiment other than the one checked out."
)


def open_experiment(name: str | None) -> tuple[Repository, str]:
    """The repository here, and the name of the experiment: ``name``, or the one checked out."""
    repo = Repository.discover(Path.cwd())
    clear_scratch(repo)
    return repo, name.removeprefix(BRANCH_PREFIX) if name else history.current_name(repo)


def open_ledger(name: str | None) -> tuple[Repository, Ledger]:
    """The repository here, and the ledger of the experiment ``name``, or of the one checked out."""
    repo, wanted = open_experiment(name)
    return repo, history.load(repo, wanted)


def local_experiments(repo: Repository, name: str | None) -> list[ExperimentFiles]:
    """The files of the experiment ``name``, or of each experiment that has files in this repository."""
    return [ExperimentFiles.of(repo, name.removeprefix(BRANCH_PREFIX))] if name else list(places(repo))


def interrupted_experiments(repo: Repository, name: str | None) -> list[ExperimentFiles]:
    """Those of :func:`local_experiments` whose last step was interrupted.

    Raises where the experiment that is asked for, or the only one, is in use by a living process.
    """
    steps = [(place, step) for place in local_experiments(repo, name) if (step := pending(repo, place))]
    for place, step in steps:
        if step.holder and (name or len(steps) == 1):
            raise GitexpError(
                f"{place.branch} is in use by {step.holder}.", f"kill {step.process}   # ends the run, the edit stays"
            )
    return [place for place, step in steps if not step.holder]
