"""The experiments with a step under way or interrupted. Apart, as most commands that read need not import this."""

from __future__ import annotations

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.iteration.status import pending, places
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import BRANCH_PREFIX


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
