"""One step: open, propose, snapshot, run, judge, seal, render."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from gitexp import history, hook, notebook, records
from gitexp.decide import decide
from gitexp.errors import GitexpError
from gitexp.git import Repository
from gitexp.measure import measure
from gitexp.model import Contract, Iteration, Ledger, Measurement, Notes, score_text
from gitexp.notebook import unsealed, write_views
from gitexp.objects import entries, write_tree
from gitexp.observer import Observer
from gitexp.pending import Candidate, Place, write_file
from gitexp.seal import give_up, hand_back, open_pending, record, seal, signals_wait
from gitexp.worktree import changed_frozen, check_frozen, check_ready, edits


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
    with place.locked("step"):
        check_ready(repo)
        if done := recover(repo, name, place):
            observer.say(done)
        ledger = history.load(repo, name)
        _check_contract(repo, ledger.contract)
        _propose(repo, place, ledger, proposal)
        _check_measured(repo, ledger)
        candidate = _snapshot(repo, place, ledger, description, body, proposal.notes)
        return _run_and_seal(repo, place, ledger, candidate, observer)


def recover(repo: Repository, name: str, place: Place) -> str:
    """Clear up after a step that died. Returns what was done, in a sentence; empty when there was nothing to do."""
    candidate = place.read_journal()
    if candidate is None:
        give_up(repo, place)  # a ref without a journal: it died between the two, and the edit is in the work tree
        return ""
    tip = repo.resolve(f"refs/heads/{place.branch}")
    if tip is None:
        give_up(repo, place)
        return f"The interrupted baseline of {name} was given up."
    ledger = history.read(repo, name, tip)
    result = place.read_result()
    if ledger.iterations[-1].run == candidate.run:
        give_up(repo, place)
        _finish(repo, place, candidate, name)
        return f"{candidate.id} was sealed; what was left of its step is cleared."
    if result is None or ledger.tip != candidate.base:
        left = hand_back(repo, place, candidate)
        kept = f" ({', '.join(left)} changed since, and was left as it is)" if left else ""
        return f"The interrupted step {candidate.id} was given up; its edit is back in the work tree{kept}."
    _seal(repo, place, ledger, candidate, result)
    return f"{candidate.id} had been measured when its step was interrupted; it is sealed now."


def _check_contract(repo: Repository, contract: Contract) -> None:
    check_frozen(repo, contract)
    path = hook.find(repo)
    if hook.blob(repo, path) != contract.hook:
        raise GitexpError(
            f"The post-run hook {path} is not the one the baseline was measured with: scores would not be comparable.",
            "gitexp hook   # shows both; put the old one back, or start anew: gitexp init --name NAME",
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
            f"git switch {place.branch} && git reset --soft {ledger.tip[:10]} && git restore --staged .",
        )


def _check_measured(repo: Repository, ledger: Ledger) -> None:
    """A commit by hand may have changed what the next candidate would be credited with."""
    if not ledger.strangers:
        return
    edit = ledger.contract.edit
    if entries(repo, ledger.tip, edit) != entries(repo, ledger.incumbent.commit, edit):
        sealed = "git log -1 --format=%h --grep='^Exp-Id:\\|^This reverts commit'"
        raise GitexpError(
            f"{', '.join(edit)} was changed by a commit that no step made ({ledger.strangers[0]}), so what it brings "
            "was never measured.",
            f"git reset --soft $({sealed}) && git restore --staged .   # and take a step with that edit",
        )


def _snapshot(repo: Repository, place: Place, ledger: Ledger, description: str, body: str, notes: Notes) -> Candidate:
    """From the return of this on, the edit is safe."""
    contract = ledger.contract
    check_frozen(repo, contract)
    changes = edits(repo, contract.edit)
    if not changes:
        raise GitexpError(
            f"Nothing changed in {', '.join(contract.edit)} since {ledger.incumbent.id}.",
            f"gitexp step -m '...'   # after an edit of {contract.edit[0]}",
        )
    base_tree = repo.line("rev-parse", f"{ledger.tip}^{{tree}}")
    candidate = Candidate(
        id=ledger.next_id,
        run=uuid.uuid4().hex,
        base=ledger.tip,
        base_tree=base_tree,
        tree=write_tree(repo, base_tree, changes),
        changes=changes,
        description=description,
        body=body,
        notes=notes.beside(unsealed(repo, place, ledger.name)),
        notebook=notebook.current(repo),
    )
    open_pending(repo, place, candidate)
    return candidate


def _run_and_seal(repo: Repository, place: Place, ledger: Ledger, candidate: Candidate, observer: Observer) -> Outcome:
    try:
        measurement = measure(repo, place, ledger.contract, candidate.id, observer)
        if path := changed_frozen(repo, ledger.contract):
            reason = f"the run changed {path}, which is frozen"
            measurement = replace(measurement, score=None, reason=reason, error=reason)
        place.write_result(measurement)
    except BaseException:
        give_up(repo, place)
        raise
    return _seal(repo, place, ledger, candidate, measurement)


def _seal(repo: Repository, place: Place, ledger: Ledger, candidate: Candidate, measurement: Measurement) -> Outcome:
    _check_unmoved(repo, place, candidate, measurement)
    iteration = record(candidate, decide(ledger, measurement), measurement, None)
    with signals_wait():
        left = seal(repo, place, candidate, iteration)
        after = _finish(repo, place, candidate, ledger.name)
    return Outcome(after.iterations[-1], ledger.incumbent, place.log(candidate.id), left)


def _finish(repo: Repository, place: Place, candidate: Candidate, name: str) -> Ledger:
    """After the branch moved: what was absorbed of EXPERIMENT.md is sealed now, and the views show it."""
    write_file(place.rendered, candidate.notebook.encode())
    place.clear()
    ledger = history.load(repo, name)
    write_views(repo, place, ledger)
    return ledger


def _check_unmoved(repo: Repository, place: Place, candidate: Candidate, measurement: Measurement) -> None:
    """Somebody may have committed, or switched branches, during the run: then this is no longer the next step."""
    if repo.branch() != place.branch:
        raise GitexpError(
            f"{candidate.id} is measured, but {place.branch} is no longer checked out. The next step on it seals it.",
            f"git switch {place.branch}",
        )
    tip = repo.resolve(f"refs/heads/{place.branch}")
    if tip != candidate.base:
        hand_back(repo, place, candidate)
        score = score_text(measurement.score) or "none"
        raise GitexpError(
            f"{place.branch} moved to {tip} while {candidate.id} ran (score {score}). "
            "Nothing was recorded; the edit is in the work tree.",
            f"git log {place.branch}",
        )
