"""Write the final commits and move the branch: objects first, then the work tree, the refs last, all or nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from gitexp import records
from gitexp.git import Repository
from gitexp.model import Contract, Iteration, Measurement, Status, Verdict
from gitexp.objects import Entry, entries, stage
from gitexp.pending import Candidate, Place
from gitexp.worktree import swap


def record(candidate: Candidate, verdict: Verdict, measurement: Measurement, contract: Contract | None) -> Iteration:
    return Iteration(
        id=candidate.id,
        run=candidate.run,
        base=candidate.base,
        status=verdict.status,
        description=candidate.description,
        reason=verdict.reason,
        measurement=measurement,
        notes=candidate.notes,
        contract=contract,
        body=candidate.body,
    )


@contextmanager
def signals_wait() -> Iterator[None]:
    """Hold ^C and its like back, for git's processes too: a step is sealed whole, or not begun to be."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def seal(repo: Repository, place: Place, candidate: Candidate, iteration: Iteration) -> tuple[str, ...]:
    """Commit ``iteration`` on top of its base; unless it is a KEEP, revert it at once.

    Returns the paths that were not put back, because somebody changed them during the run.
    Moving the branch is the only commit point: whatever happens before it, the step can be finished or given up.
    """
    commit = repo.commit_tree(candidate.tree, candidate.base, records.to_message(iteration))
    tip = commit
    left: tuple[str, ...] = ()
    if iteration.status is Status.KEEP:
        stage(repo, candidate.changes)
    else:
        # A revert of the last commit needs no merge: its tree is the one before.
        tip = repo.commit_tree(candidate.base_tree, commit, records.revert_message(iteration, commit))
        left = swap(repo, candidate.changes, _before(repo, candidate))
    move = f"create refs/heads/{place.branch} {tip}"
    if iteration.contract is None:
        move = f"update refs/heads/{place.branch} {tip} {candidate.base}"
    reason = f"gitexp: {iteration.id} {iteration.status.value}"
    repo.update_refs(reason, move, f"delete {place.ref} {candidate.tree}")
    return left


def _before(repo: Repository, candidate: Candidate) -> dict[str, Entry | None]:
    """What the paths of the candidate held in the commit it is an edit of."""
    old = entries(repo, candidate.base, candidate.changes)
    return {path: old.get(path) for path in candidate.changes}


def hand_back(repo: Repository, place: Place, candidate: Candidate) -> tuple[str, ...]:
    """Give up the pending step, its edit in the work tree. Returns the paths left alone: somebody changed them."""
    left = swap(repo, _before(repo, candidate), candidate.changes)
    give_up(repo, place)
    return left


def open_pending(repo: Repository, place: Place, candidate: Candidate) -> None:
    """From here the edit is safe: its bytes are objects, kept alive by a ref that only one step can create."""
    place.write_journal(candidate)
    repo.update_refs(f"gitexp: {candidate.id} pending", f"create {place.ref} {candidate.tree}")


def give_up(repo: Repository, place: Place) -> None:
    """Forget the pending step: its ref first, so that the journal is there as long as there is something to tell."""
    if repo.ref(place.ref):
        repo.update_refs("gitexp: given up", f"delete {place.ref}")
    place.clear()
