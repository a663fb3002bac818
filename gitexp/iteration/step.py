"""One step: open, propose, snapshot, run, judge, seal, render."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from gitexp.errors import BreakerOpenError, GitexpError, NotNewError
from gitexp.git import refs, repack
from gitexp.git.repository import Repository
from gitexp.git.worktree import check_frozen, check_ready, covers, edited_paths
from gitexp.iteration import stale_locks
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
from gitexp.ledger.copies import copied_iterations
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Contract, Status
from gitexp.observer import Observer
from gitexp.paths import inside
from gitexp.run import hooks
from gitexp.run.curve import Pruner
from gitexp.run.device import Busy, check_device, device_held
from gitexp.run.frozen_data import check_data
from gitexp.run.hooks import check_gate, notify
from gitexp.run.missing import LINES, check_output
from gitexp.run.runner import TAIL_LINES
from gitexp.shell import git_command, pathspec, pathspecs, word
from gitexp.signals import signals_wait
from gitexp.text import short, visible, visible_list
from gitexp.verdict import breaker
from gitexp.verdict.diagnosis import diagnose
from gitexp.verdict.rules import check_rule
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
        _check_checked_out(repo, place)
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
        _check_tip(repo, ledger)
        snapshot = _checked(repo, place, ledger, proposal, observer)
        open_pending(repo, place, snapshot)
        if proposal.on_taken:
            proposal.on_taken()
        outcome = _run_and_seal(repo, place, ledger, snapshot, observer, proposal.pruner, busy)
        notify(repo, place, ledger.contract, outcome.iteration.id, dumps(outcome_json(outcome)), observer)
        repack.pack(repo)
        return outcome


def _check_checked_out(repo: Repository, place: ExperimentFiles) -> None:
    """An edit by hand is of the branch that is checked out, and so is any where candidates run in place."""
    if refs.current_branch(repo) != place.branch:
        raise GitexpError(
            f"{visible(place.branch)} is not checked out, and the edit is to be of that.",
            git_command("switch", "--merge", place.branch) + "   # takes the edit along",
        )


def check_breaker(place: ExperimentFiles, ledger: Ledger) -> None:
    if crashes := breaker.tripped(ledger):
        report = breaker.report(crashes, place.log_tail(crashes[-1].candidate.label(1), TAIL_LINES))
        raise BreakerOpenError(report, "gitexp breaker reset --why '...'   # when the cause is mended")


def check_contract(repo: Repository, place: ExperimentFiles, contract: Contract) -> None:
    check_terms(repo, contract)
    check_data(repo.top, place, contract)
    check_hook(repo, contract)


def check_terms(repo: Repository, contract: Contract) -> None:
    """Raises where the work tree of ``repo`` does not hold what the contract names as it was."""
    check_rule(contract)
    for named in contract.paths:
        inside(repo.top, named)
    check_frozen(repo, contract)


def check_hook(repo: Repository, contract: Contract) -> None:
    """Raises where the hook is not the one that the baseline was measured with."""
    path = hooks.find(repo)
    if hooks.blob(repo, path) != contract.hook:
        raise GitexpError(
            f"The post-run hook {visible(str(path))} is not the one the baseline was measured with: scores "
            "would not be comparable.",
            "gitexp hook   # shows both; put the old one back, or start anew: gitexp init --name NAME",
        )


def _check_tip(repo: Repository, ledger: Ledger) -> None:
    """What was measured must be what the next candidate is an edit of, or that would be credited with it."""
    if copies := copied_iterations(repo, ledger):
        raise GitexpError(
            f"{copies[-1]} was sealed on another commit, and moved here: by git pull --rebase, if another clone sealed "
            f"{ledger.iterations[-1].id} on the same branch. Ids would be double.",
            f"{git_command('branch', *_own_branch(repo, ledger))} && git reset --keep {short(ledger.sealed)}"
            "   # the branch keeps your iterations, and steps go on there or here",
        )
    if ledger.foreign_commits and ledger.tree != ledger.incumbent.tree:
        raise GitexpError(
            f"The tip is not what {ledger.incumbent.id} measured: {ledger.foreign_commits[0]} was not made by gitexp.",
            f"git reset --soft {short(ledger.sealed)} && git restore --staged :/   # its edit can then be a step; "
            "or start anew from here: gitexp init --name NAME",
        )


def _own_branch(repo: Repository, ledger: Ledger) -> tuple[str, str]:
    """The name of a new branch, and the tip it gets: the branch as it was before the rebase, where git still knows."""
    names = (f"{BRANCH_PREFIX}{ledger.name}-mine{number or ''}" for number in count())
    name = next(name for name in names if refs.read(repo, f"refs/heads/{name}") is None)
    before = repo.resolve("ORIG_HEAD")
    return name, short(before) if before and _sealed_there(repo, before, ledger) else short(ledger.tip)


def _sealed_there(repo: Repository, commit: str, ledger: Ledger) -> bool:
    """Whether ``commit`` is a tip of this experiment on which each iteration has the parent it was sealed on."""
    try:
        return not history.read(repo, ledger.name, commit).foreign_commits
    except GitexpError:
        return False


def _check_unedited(repo: Repository, contract: Contract) -> None:
    """What a refused or interrupted step left must not be taken for a part of what the command is about to do."""
    paths = edited_paths(repo, contract.edit)
    if outside := [path for path in paths if not covers(contract.edit, path)]:
        raise GitexpError(
            f"{visible_list(outside)} differs from HEAD, and only {visible_list(contract.edit)} may change here.",
            f"git diff HEAD -- {pathspec(outside[0])}   # then commit, stash or restore it",
        )
    if paths:
        raise GitexpError(
            f"{visible_list(paths)} is edited already, by an earlier step perhaps, and another edit would be mixed "
            "with that.",
            f"gitexp step -m '...'   # tries the edit that is there; or: git restore {pathspec(paths[0])}",
        )


def _propose(repo: Repository, place: ExperimentFiles, ledger: Ledger, propose: MakeEdit) -> Proposal:
    if not ledger.contract.in_place:
        return propose(place, ledger)
    _check_unedited(repo, ledger.contract)
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
    _check_one_variable(ledger.contract, snapshot, observer)
    if not proposal.again:
        _check_new(ledger, snapshot)
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


def _check_one_variable(contract: Contract, snapshot: Snapshot, observer: Observer) -> None:
    """With more than one change nobody knows which of them it was."""
    changes = snapshot.candidate.changes
    if len(changes) < 2 or len(snapshot.candidate.params) > 1:  # a grid says itself what it sets
        return
    sentence = f"This edit changes {len(changes)} things ({visible_list(changes)})"
    if contract.one_variable == "strict":
        raise GitexpError(f"{sentence}, and this experiment allows one.", f"git diff -- {pathspecs(snapshot.files)}")
    observer.say(f"{sentence}, and one variable at a time tells which of them it was.")


def _simpler(repo: Repository, snapshot: Snapshot) -> Snapshot:
    fewer = shorter(repo, snapshot)
    if fewer <= 0 or not snapshot.candidate.changes:
        raise GitexpError(
            "--simplify is for an edit that leaves fewer lines of code (blank lines and comments are none); this one "
            f"leaves {-fewer} more.",
            "gitexp step -m '...'   # to judge it by its score alone",
        )
    return snapshot.with_words(simpler=fewer)


def _check_new(ledger: Ledger, snapshot: Snapshot) -> None:
    """What is known need not be run again, unless it crashed for a reason that was not its own."""
    for tried in ledger.tried_as(snapshot.candidate.patch):
        if tried.status is Status.CRASH and diagnose(tried).environment:
            return
        raise NotNewError(
            f"This edit was already tried as {tried.id}, {tried.status.value}: {tried.reason}.",
            "gitexp step --again -m '...'   # tries it again; or take it back: "
            f"git restore {pathspecs(snapshot.files)}",
        )


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
