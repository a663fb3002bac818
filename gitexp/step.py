"""One step: open, propose, snapshot, run, judge, seal, render."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from gitexp import history, hook, records
from gitexp.decide import check_rule, decide
from gitexp.errors import GitexpError
from gitexp.git import Repository
from gitexp.measure import measure
from gitexp.model import Contract, Iteration, Ledger, Measurement, Notes, score_text
from gitexp.notebook import write_views
from gitexp.observer import Observer
from gitexp.pending import Candidate, Place, write_file
from gitexp.seal import give_up, hand_back, open_pending, record, saved_ref, seal, signals_wait
from gitexp.snapshot import snapshot, tree_of
from gitexp.worktree import changed_frozen, check_frozen, check_ready, untracked_below


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a person or an agent says of the change, and the command that makes it, if it is not made yet."""

    message: str
    notes: Notes = Notes()
    command: tuple[str, ...] = ()
    directory: Path = Path()  # where the command runs


@dataclass(frozen=True, slots=True)
class Outcome:
    iteration: Iteration
    incumbent: Iteration  # the one it was compared with
    log: Path
    left: tuple[str, ...]


def step(repo: Repository, name: str, proposal: Proposal, observer: Observer) -> Outcome:
    """Try one change: run it under the experiment's contract, judge it, and seal what came of it.

    Raises :class:`GitexpError` when there is nothing to judge; then the edit is where it was and nothing is recorded.
    """
    description, body = records.describe(proposal.message)
    if not description:
        raise GitexpError("A step needs to say what was changed.", "gitexp step -m 'depth 8 -> 4'")
    place = Place.of(repo, name)
    with place.locked(repo, "step"):
        check_ready(repo)
        recover(repo, name, place, observer)
        ledger = history.load(repo, name)
        _check_contract(repo, ledger.contract)
        _propose(repo, place, ledger, proposal)
        _check_tip(repo, ledger)
        candidate = _snapshot(repo, place, ledger, description, body, proposal.notes)
        return _run_and_seal(repo, place, ledger, candidate, observer)


def recover(repo: Repository, name: str, place: Place, observer: Observer) -> None:
    """Clear up after a step that died.

    Raises when the work tree may hold something else than its user expects: then the next step is for them to take.
    """
    candidate = place.read_journal()
    tip = repo.resolve(f"refs/heads/{place.branch}")
    if candidate is None or tip is None:
        give_up(repo, place)  # it died before there was anything to lose: the edit never left the work tree
        return
    ledger = history.read(repo, name, tip)
    result = place.read_result()
    if ledger.iterations[-1].run == candidate.run:
        give_up(repo, place)
        _finish(repo, place, candidate, name, observer)
        observer.say(f"{candidate.id} was sealed; what was left of its step is cleared.")
    elif result is None:
        # It died in its run, when nothing in the work tree is gitexp's to touch.
        give_up(repo, place)
        observer.say(f"The interrupted step {candidate.id} was given up; its edit is where it was.")
    elif ledger.tip != candidate.base:
        left = hand_back(repo, place, candidate)
        raise GitexpError(f"The interrupted step {candidate.id} was given up; {_where(candidate, left)}.", "git diff")
    else:
        if repo.ref(place.ref) is None:
            repo.update_refs(f"gitexp: {candidate.id} pending", f"create {place.ref} {candidate.tree}")
        outcome = _seal(repo, place, ledger, candidate, result, observer)
        kept = f" {', '.join(outcome.left)} was changed since, and is left as it is." if outcome.left else ""
        raise GitexpError(
            f"{candidate.id} had been measured when its step was interrupted; it is sealed now, as "
            f"{outcome.iteration.status.value}.{kept}",
            "gitexp status   # then take the next step",
        )


def _where(candidate: Candidate, left: tuple[str, ...]) -> str:
    """What became of a candidate that was handed back."""
    if not left:
        return "its edit is in the work tree"
    return f"{', '.join(left)} was changed since and is left as it is, and the edit is kept as {saved_ref(candidate)}"


def _check_contract(repo: Repository, contract: Contract) -> None:
    check_rule(contract)
    check_frozen(repo, contract)
    path = hook.find(repo)
    if hook.blob(repo, path) != contract.hook:
        raise GitexpError(
            f"The post-run hook {path} is not the one the baseline was measured with: scores would not be comparable.",
            "gitexp hook   # shows both; put the old one back, or start anew: gitexp init --name NAME",
        )


def _check_tip(repo: Repository, ledger: Ledger) -> None:
    """What was measured must be what the next candidate is an edit of, or that would be credited with it."""
    if ledger.strangers and tree_of(repo, ledger.tip) != ledger.incumbent.tree:
        raise GitexpError(
            f"The tip is not what {ledger.incumbent.id} measured: {ledger.strangers[0]} was committed by no step.",
            f"git reset --soft {ledger.sealed[:10]} && git restore --staged :/   # its edit can then be a step; "
            "or start anew from here: gitexp init --name NAME",
        )


def _propose(repo: Repository, place: Place, ledger: Ledger, proposal: Proposal) -> None:
    if not proposal.command:
        return
    command = " ".join(proposal.command)
    try:
        # What the proposer says goes to standard error: standard output is the verdict's.
        done = subprocess.run(proposal.command, cwd=proposal.directory, stdin=subprocess.DEVNULL, stdout=2, check=False)
    except OSError as error:
        raise GitexpError(f"The command {command!r} cannot be run: {error.strerror}.", "gitexp step -h") from None
    if done.returncode:
        raise GitexpError(
            f"The command {command!r} failed (exit {done.returncode}); nothing was recorded, and its edits stay.",
            "git diff",
        )
    if repo.branch() != place.branch or repo.resolve("HEAD") != ledger.tip:
        raise GitexpError(
            f"The command {command!r} committed or switched branches; commits are made by gitexp, from edits.",
            f"git switch {place.branch} && git reset --soft {ledger.tip[:10]} && git restore --staged :/",
        )


def _snapshot(repo: Repository, place: Place, ledger: Ledger, description: str, body: str, notes: Notes) -> Candidate:
    """From the return of this on, the edit is safe."""
    contract = ledger.contract
    _check_contract(repo, contract)  # again: the proposer may have changed what it must not
    candidate = snapshot(
        repo,
        place,
        ledger.next_id,
        base=ledger.tip,
        paths=contract.edit,
        description=description,
        body=body,
        notes=notes,
    )
    if not candidate.changes:
        raise GitexpError(
            f"Nothing changed in {', '.join(contract.edit)} since {ledger.incumbent.id}.",
            f"gitexp step -m '...'   # after an edit of {contract.edit[0]}",
        )
    open_pending(repo, place, candidate)
    return candidate


def _run_and_seal(repo: Repository, place: Place, ledger: Ledger, candidate: Candidate, observer: Observer) -> Outcome:
    try:
        measurement = measure(repo, place, ledger.contract, candidate.id, observer)
        if reason := _tampered(repo, ledger.contract):
            measurement = replace(measurement, score=None, reason=reason, error=reason)
        place.write_result(measurement)
    except BaseException:
        if left := hand_back(repo, place, candidate):
            observer.say(f"{candidate.id}: {_where(candidate, left)}.")
        raise
    return _seal(repo, place, ledger, candidate, measurement, observer)


def _tampered(repo: Repository, contract: Contract) -> str:
    """What the run, or somebody during it, did to the measurement; empty when it can be trusted."""
    if path := changed_frozen(repo, contract):
        return f"{path} is frozen, and was changed during the run"
    if hook.blob(repo, hook.find(repo)) != contract.hook:
        return "the post-run hook was changed during the run"
    return ""


def _seal(
    repo: Repository,
    place: Place,
    ledger: Ledger,
    candidate: Candidate,
    measurement: Measurement,
    observer: Observer,
) -> Outcome:
    _check_unmoved(repo, place, candidate, measurement)
    iteration = record(candidate, decide(ledger, measurement), measurement, None)
    with signals_wait():
        left = seal(repo, place, candidate, iteration)
        after = _finish(repo, place, candidate, ledger.name, observer)
    _warn_of_leavings(repo, ledger.contract, observer)
    return Outcome(after.iterations[-1], ledger.incumbent, place.log(candidate.id), left)


def _finish(repo: Repository, place: Place, candidate: Candidate, name: str, observer: Observer) -> Ledger:
    """After the branch moved: what was absorbed of EXPERIMENT.md is sealed now, and the views show it."""
    write_file(place.rendered, candidate.notebook.encode())
    place.clear()
    ledger = history.load(repo, name)
    try:
        write_views(repo, place, ledger)
    except (GitexpError, OSError) as error:  # the verdict stands, whatever is in the way of the views
        observer.say(f"The views were not written: {error}. Later: gitexp render")
    return ledger


def _warn_of_leavings(repo: Repository, contract: Contract, observer: Observer) -> None:
    """New files in an editable folder would be taken for a part of the next edit."""
    folders = [path for path in contract.edit if (repo.top / path).is_dir()]
    if new := untracked_below(repo, folders):
        observer.say(
            f"New in an editable folder: {', '.join(new[:5])}. The next step seals it, unless .gitignore names it."
        )


def _check_unmoved(repo: Repository, place: Place, candidate: Candidate, measurement: Measurement) -> None:
    """Somebody may have committed, or switched branches, during the run: then this is no longer the next step."""
    if repo.branch() != place.branch:
        raise GitexpError(
            f"{candidate.id} is measured, but {place.branch} is no longer checked out. The next step on it seals it.",
            f"git switch {place.branch}",
        )
    tip = repo.resolve(f"refs/heads/{place.branch}")
    if tip != candidate.base:
        left = hand_back(repo, place, candidate)
        score = score_text(measurement.score) or "none"
        where = f"moved to {tip[:10]}" if tip else "was deleted"
        raise GitexpError(
            f"{place.branch} {where} while {candidate.id} ran (score {score}). Nothing was recorded; "
            f"{_where(candidate, left)}.",
            f"git log {place.branch}" if tip else f"git branch {place.branch} {candidate.base[:10]}",
        )
