"""Picked code, run once more: whether it holds the score that the experiment found."""

from __future__ import annotations

from shlex import quote

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.git.worktree import changed_frozen, pathspec
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.observer import Observer
from gitexp.review.rerun import rerun
from gitexp.text import short
from gitexp.verdict.rules import holds_against

LABEL = "pick"  # what the logs of these runs are called


def recheck(repo: Repository, ledger: Ledger, work: Repository, branch: str, observer: Observer) -> None:
    """Run what is in ``work`` under the contract. Raises when it is worse than the incumbent by more than the noise."""
    if path := changed_frozen(work, ledger.contract):
        raise GitexpError(
            f"{path} is frozen in this experiment, and {branch} has another: scores could not be compared.",
            f"git diff {short(ledger.baseline.commit)} {quote(branch)} -- {pathspec(path)}",
        )
    samples, last = rerun(repo, ledger, work, LABEL, observer)
    less = f"less {quote(str(ExperimentFiles.of(work, ledger.name).log(LABEL)))}"
    if last.score is None:
        raise GitexpError(f"The picked code crashed: {last.reason}. Nothing was moved.", less)
    holds, why = holds_against(ledger, {sample.seed: sample.score for sample in samples}, ledger.incumbent.id)
    if not holds:
        raise GitexpError(
            f"The picked code does not hold the score: {why}. Nothing was moved.",
            f"{less}   # to pick it all the same: leave --measure out",
        )
    observer.say(f"The picked code holds the score: {why}.")
