"""One step: open, propose, snapshot, run, judge, seal, render."""

from __future__ import annotations

from dataclasses import replace

from gitexp.errors import GitexpError, NotNewError
from gitexp.git import refs, repack
from gitexp.git.repository import Repository
from gitexp.git.worktree import check_ready
from gitexp.iteration import stale_locks
from gitexp.iteration.checks import (
    check_breaker,
    check_checked_out,
    check_contract,
    check_new,
    check_one_variable,
    check_tip,
    check_unedited,
)
from gitexp.iteration.finalize import StepResult, check_unmoved, conclude, keep_result, outcome_json, whereabouts
from gitexp.iteration.journal import Snapshot
from gitexp.iteration.proposal import MakeEdit, Proposal
from gitexp.iteration.recovery import recover
from gitexp.iteration.replicates import gather
from gitexp.iteration.run_trees import remove_forsaken_trees
from gitexp.iteration.seal import hand_back, open_pending
from gitexp.iteration.snapshot import check_imported, shorter, summary, take_snapshot
from gitexp.iteration.workspace import Workspace
from gitexp.ledger import history, messages
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.curve import Pruner
from gitexp.run.device import Busy, check_device, device_held
from gitexp.run.hooks import check_gate, notify
from gitexp.run.missing import LINES, check_output
from gitexp.shell import git_command, word
from gitexp.signals import signals_wait
from gitexp.text import short, visible_list
from gitexp.views.json_schema import dumps
from gitexp.views.on_disk import check_free


def step(
    repo: Repository, name: str, proposed: Proposal | MakeEdit, observer: Observer, busy: Busy = Busy.REFUSE
) -> StepResult:
    """Try one change: run it under the experiment's contract, judge it, and seal what came of it.

    What is ``proposed`` lies in the work tree, or is made now; ``busy`` says what to do where another run uses the
    device. Raises :class:`GitexpError` when there is nothing to judge; then the edit is where it was and nothing is
    recorded.
    """
    place = ExperimentFiles.of(repo, name)
    in_place = history.load(repo, name).contract.in_place
    if in_place or isinstance(proposed, Proposal):
        check_checked_out(repo, place)
    with place.locked(repo, "step", in_place):
        check_ready(repo)
        if recovered := recover(repo, place, observer):
            # The work tree may hold something else than its user expects.
            raise GitexpError(f"{recovered.id} was finished first; nothing new was tried.", "gitexp status")
        stale_locks.check_none(repo, place)
        remove_forsaken_trees(repo)
        ledger = history.load(repo, name)
        check_contract(repo, place, ledger.contract)
        check_free(repo, ledger.contract.home)
        check_breaker(place, ledger)
        check_device("step", busy)
        proposal = proposed if isinstance(proposed, Proposal) else _propose(repo, place, ledger, proposed)
        check_tip(repo, ledger)
        snapshot = _checked(repo, place, ledger, proposal, observer)
        open_pending(repo, place, snapshot)
        if proposal.on_taken:
            proposal.on_taken()
        outcome = _run_and_seal(repo, place, ledger, snapshot, observer, proposal.pruner, busy)
        notify(repo, place, ledger.contract, outcome.iteration.id, dumps(outcome_json(outcome)), observer)
        repack.pack(repo)
        return outcome


def _propose(repo: Repository, place: ExperimentFiles, ledger: Ledger, propose: MakeEdit) -> Proposal:
    if not ledger.contract.in_place:
        return propose(place, ledger)
    check_unedited(repo, ledger.contract)
    proposal = propose(place, ledger)
    if refs.current_branch(repo) != place.branch or repo.resolve("HEAD") != ledger.tip:
        raise GitexpError(
            "The command committed or switched branches; commits are made by gitexp, from edits.",
            f"{git_command('switch', place.branch)} && git reset --soft {short(ledger.tip)} && git restore --staged :/",
        )
    return proposal


def _checked(
    repo: Repository, place: ExperimentFiles, ledger: Ledger, proposal: Proposal, observer: Observer
) -> Snapshot:
    """What lies in the work tree, once it has passed every check that needs no run."""
    snapshot = _snapshot(repo, place, ledger, proposal)
    check_one_variable(ledger.contract, snapshot, observer)
    if not proposal.again:
        check_new(ledger, snapshot)
    try:
        gated = _gated(repo, place, ledger, snapshot, proposal)
    finally:
        if proposal.on_gated:
            proposal.on_gated()
    if gated:
        snapshot = _snapshot(repo, place, ledger, gated)  # the gate may have formatted it
    if proposal.files is None:
        check_imported(repo, ledger.contract, snapshot, snapshot.files)
    if not snapshot.candidate.description:
        snapshot = snapshot.with_words(description=summary(repo, snapshot))
    return _simpler(repo, snapshot) if proposal.simplify else snapshot


def _gated(
    repo: Repository, place: ExperimentFiles, ledger: Ledger, snapshot: Snapshot, proposal: Proposal
) -> Proposal | None:
    """The proposal as the pre-run hook left it; ``None`` where there is no such hook."""
    contract, identity = ledger.contract, snapshot.candidate.id
    if proposal.files is None:
        return proposal if check_gate(repo, place, contract, identity) else None
    if hooks.optional(repo, hooks.PRE_RUN) is None:
        return None
    work = Workspace(repo, place, ledger, snapshot.candidate.tree)
    check_gate(repo, place, contract, identity, work.repo.top)
    return replace(proposal, files=work.edit())


def _snapshot(repo: Repository, place: ExperimentFiles, ledger: Ledger, proposal: Proposal) -> Snapshot:
    contract = ledger.contract
    description, body = messages.describe(proposal.message)
    check_contract(repo, place, contract)  # again: the proposer may have changed what it must not
    snapshot = take_snapshot(
        repo,
        place,
        ledger.next_id,
        base=ledger.tip,
        paths=contract.edit,
        home=contract.home,
        description=description,
        body=body,
        notes=proposal.notes,
        params=proposal.params,
        files=proposal.files,
    )
    if not snapshot.files:
        raise NotNewError(
            f"Nothing changed in {visible_list(contract.edit)} since {ledger.incumbent.id}.",
            f"gitexp step -m '...'   # after an edit of {word(contract.edit[0])}",
        )
    return snapshot


def _simpler(repo: Repository, snapshot: Snapshot) -> Snapshot:
    fewer = shorter(repo, snapshot)
    if fewer <= 0 or not snapshot.candidate.changes:
        raise GitexpError(
            "--simplify is for an edit that leaves fewer lines of code (blank lines and comments are none); this one "
            f"leaves {-fewer} more.",
            "gitexp step -m '...'   # to judge it by its score alone",
        )
    return snapshot.with_words(simpler=fewer)


def _run_and_seal(
    repo: Repository,
    place: ExperimentFiles,
    ledger: Ledger,
    snapshot: Snapshot,
    observer: Observer,
    pruner: Pruner | None,
    busy: Busy,
) -> StepResult:
    try:
        with device_held(place, "step", busy, observer):
            measurement, verdict = gather(repo, place, ledger, snapshot, observer, pruner)
        if measurement.score is None and not ledger.contract.in_place:
            label = snapshot.candidate.label(len(measurement.samples))
            check_output(repo, ledger.contract, snapshot.candidate.tree, place.log_tail(label, LINES))
    except BaseException:
        if left := hand_back(repo, place, snapshot):
            observer.say(f"{snapshot.candidate.id}: {whereabouts(snapshot, left)}.")
        raise
    with signals_wait():
        keep_result(place, snapshot.candidate, measurement, observer)
        check_unmoved(repo, place, ledger, snapshot, measurement)
        return conclude(repo, place, ledger, snapshot, measurement, verdict, observer)
