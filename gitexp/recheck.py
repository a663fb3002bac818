"""Picked code, run once more: whether it holds the score that the experiment found."""

from __future__ import annotations

import os
from shlex import quote

from gitexp.decide import standing
from gitexp.errors import GitexpError
from gitexp.git import Repository
from gitexp.measure import Run, measure
from gitexp.model import Contract, Ledger, Sample
from gitexp.objects import entries
from gitexp.observer import Observer
from gitexp.pending import Place
from gitexp.recovery import pending
from gitexp.replicates import check_comparable
from gitexp.step import check_contract
from gitexp.watch import speed
from gitexp.worktree import VIEWS, changed_frozen, covers, pathspec, untracked_below

RUNS = 2  # one may be bad luck
LABEL = "pick"  # what the logs of these runs are called


def recheck(repo: Repository, ledger: Ledger, work: Repository, branch: str, observer: Observer) -> None:
    """Run what is in ``work`` under the contract. Raises when it is worse than the incumbent by more than the noise."""
    place = Place.of(work, ledger.name)
    if left := pending(repo, place):
        raise GitexpError(f"{place.branch}: {left}.", "gitexp status")
    with place.locked(work, "pick --measure"):
        _check_contract(work, ledger, branch)
        _link_untracked(repo, work, ledger.contract)
        samples = _run(work, place, ledger, observer)
    holds, why = standing(ledger, {sample.seed: sample.score for sample in samples})
    if not holds:
        raise GitexpError(
            f"The picked code does not hold the score: {why}. Nothing was moved.",
            f"less {quote(str(place.log(LABEL)))}   # to pick it all the same: leave --measure out",
        )
    observer.say(f"The picked code holds the score: {why}.")


def _check_contract(work: Repository, ledger: Ledger, branch: str) -> None:
    contract = ledger.contract
    if path := changed_frozen(work, contract):
        raise GitexpError(
            f"{path} is frozen in this experiment, and {branch} has another: scores could not be compared.",
            f"git diff {ledger.baseline.commit[:10]} {quote(branch)} -- {pathspec(path)}",
        )
    check_contract(work, contract)


def _link_untracked(repo: Repository, work: Repository, contract: Contract) -> None:
    """What git does not track (data, a .venv) is needed for a run too: it is linked, unless a step would seal it.

    ``uv`` makes a .venv of its own there: into the linked one it would install the project anew, from the scratch.
    """
    if repo.root is None:
        return
    listed = os.fsdecode(repo.run("ls-files", "-z", "--others", "--directory", "--no-empty-directory")).split("\0")
    edits = untracked_below(repo, contract.edit)
    for path in (name.rstrip("/") for name in listed if name):
        link = work.top / path
        unwanted = (*VIEWS, "__pycache__", ".venv" if (link.parent / "uv.lock").exists() else "")
        if link.name not in unwanted and not any(covers([path], edit) for edit in edits) and not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(repo.top / path)


def _run(work: Repository, place: Place, ledger: Ledger, observer: Observer) -> list[Sample]:
    contract, last = ledger.contract, ledger.incumbent.measurement
    usual = speed(dict(last.metrics), last.seconds / max(1, len(last.samples)))
    old, new = (entries(work, tree, contract.edit) for tree in (ledger.baseline.tree, "HEAD"))
    files = {path: new.get(path) for path in {**old, **new} if old.get(path) != new.get(path)}
    samples: list[Sample] = []
    for at in range(RUNS):
        label = LABEL if at == 0 else f"{LABEL}.{at + 1}"
        asked = Run(LABEL, contract.seed + at, f"{LABEL}-{work.top.name}", label, files)
        measured = measure(work, place, contract, asked, observer, usual)
        if measured.score is None:
            raise GitexpError(
                f"The picked code crashed: {measured.reason}. Nothing was moved.",
                f"less {quote(str(place.log(label)))}",
            )
        check_comparable(ledger, measured)
        samples += measured.samples
    return samples
