"""Code of a scratch work tree, run under an experiment's contract: what its samples are worth is for others to say."""

from __future__ import annotations

import os

from gitexp.errors import GitexpError
from gitexp.git.objects import differing
from gitexp.git.repository import Repository
from gitexp.git.worktree import VIEWS, covers, untracked_below
from gitexp.iteration.replicates import check_comparable, usual_speed
from gitexp.iteration.status import pending
from gitexp.iteration.step import check_contract
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Contract, Measurement, Sample
from gitexp.observer import Observer
from gitexp.run.measure import Run, measure

RUNS = 2  # one may be bad luck


def rerun(
    repo: Repository, ledger: Ledger, work: Repository, label: str, observer: Observer
) -> tuple[list[Sample], Measurement]:
    """Run what is in ``work``, with the contract's seed and the next ones; the samples, and the last run.

    A crash is the last of them. What ``repo`` does not track is linked into ``work``. Raises when the contract cannot
    be kept there, or when the scores could not be compared.
    """
    place = ExperimentFiles.of(work, ledger.name)
    if left := pending(repo, place):
        raise GitexpError(f"{place.branch}: {left}.", "gitexp status")
    with place.locked(work, f"run of {label}"):
        check_contract(work, ledger.contract)
        _link_untracked(repo, work, ledger.contract)
        return _run(work, place, ledger, label, observer)


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


def _run(
    work: Repository, place: ExperimentFiles, ledger: Ledger, label: str, observer: Observer
) -> tuple[list[Sample], Measurement]:
    contract = ledger.contract
    _, files = differing(work, ledger.baseline.tree, "HEAD", contract.edit)
    samples: list[Sample] = []
    for at in range(RUNS):
        log = label if at == 0 else f"{label}.{at + 1}"
        asked = Run(label, contract.seed + at, f"{label}-{work.top.name}", log, files)
        measured = measure(work, place, contract, asked, observer, usual_speed(ledger))
        check_comparable(ledger, measured)
        samples += measured.samples
        if measured.score is None:
            break
    return samples, measured
