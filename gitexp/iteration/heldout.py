"""The held-out split: looked at once, at the end, and each look is on record."""

from __future__ import annotations

from contextlib import nullcontext

from gitexp.errors import GitexpError
from gitexp.git.objects import differing_entries
from gitexp.git.repository import Repository
from gitexp.git.worktree import check_ready, edits
from gitexp.iteration import stale_locks
from gitexp.iteration.checks import check_contract
from gitexp.iteration.overlay import borrowed
from gitexp.iteration.recovery import recover
from gitexp.iteration.remark import seal_remark
from gitexp.iteration.replicates import check_comparable
from gitexp.iteration.run_trees import run_tree
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Measurement, Remark, Status
from gitexp.observer import Observer
from gitexp.run.device import Busy, device_held
from gitexp.run.measure import Run, measure
from gitexp.run.run_tree import Content
from gitexp.shell import command
from gitexp.text import visible_list


def look(repo: Repository, name: str, identity: str, observer: Observer, busy: Busy) -> Remark:
    """Run an iteration (the incumbent, if ``identity`` is empty) once more, with its test, and seal the score."""
    place = ExperimentFiles.of(repo, name)
    in_place = history.load(repo, name).contract.in_place
    with place.locked(repo, "test", in_place):
        check_ready(repo)
        recover(repo, place, observer)
        stale_locks.check_none(repo, place)
        ledger = history.load(repo, name)
        check_contract(repo, place, ledger.contract)
        chosen = history.find(ledger, identity) if identity else ledger.incumbent
        if chosen.status is not Status.KEEP:
            raise GitexpError(f"{chosen.id} is a {chosen.status.value}: only what is kept is tested.", "gitexp log")
        if in_place and (changed := edits(repo, ledger.contract.edit)):
            raise GitexpError(f"{visible_list(changed)} is edited: the test runs what is sealed.", "git diff")
        with device_held(place, "test", busy, observer):
            measured = _measure(repo, place, ledger, chosen, observer)
        if measured.test is None:
            raise GitexpError(
                "The run reported no test score: with GITEXP_TEST=1 it is to print test_score.",
                command("less", place.log(_label(chosen))),
            )
        return seal_remark(repo, place, ledger, Remark("test", chosen.id, score=measured.test), observer)


def _label(chosen: Iteration) -> str:
    return f"{chosen.candidate.label(1)}.test"


def _measure(
    repo: Repository, place: ExperimentFiles, ledger: Ledger, chosen: Iteration, observer: Observer
) -> Measurement:
    contract = ledger.contract
    held, files = differing_entries(repo, ledger.tree, chosen.tree, contract.edit)
    content = Content(chosen.tree, chosen.commit, files)
    run = Run(chosen.id, contract.seed, f"test-{chosen.candidate.run}", _label(chosen), content, test=True)
    with borrowed(repo, place, held, files) if contract.in_place else nullcontext():
        measured = measure(run_tree(repo, place, contract), place, contract, run, observer)
    if measured.reason:
        raise GitexpError(f"The test of {chosen.id} crashed: {measured.reason}.", command("less", place.log(run.label)))
    check_comparable(ledger, measured)
    return measured
