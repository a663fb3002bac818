"""Write the final commits and move the branch: objects first, then the work tree, the refs last, all or nothing."""

from __future__ import annotations

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.commits import commit_tree
from gitexp.git.driver import GitCommandError
from gitexp.git.index_lock import index_locked, stage_locked
from gitexp.git.objects import Entry, entries, file_entry, index_entries, read_blobs, write_tree
from gitexp.git.replacement import replace_unchanged
from gitexp.git.repository import Repository
from gitexp.iteration.journal import Snapshot, clear, write_journal
from gitexp.iteration.moving import moving
from gitexp.ledger import messages
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Candidate, Iteration, Status
from gitexp.signals import signals_wait


def seal(repo: Repository, place: ExperimentFiles, snapshot: Snapshot, iteration: Iteration) -> tuple[str, ...]:
    """Commit ``iteration`` on top of its base; unless it is a KEEP, revert it at once.

    The work tree follows where it is the branch's: a DISCARDed edit is taken out of it, and a KEEP that lies elsewhere
    comes into it. Returns the paths that were left alone, because somebody changed or staged them during the run.
    Moving the branch is the only commit point: whatever happens before it, the step can be finished or given up.
    """
    _write_again(repo, snapshot)
    commit = commit_tree(repo, iteration.tree, iteration.base, messages.to_message(iteration))
    if iteration.status is Status.KEEP:
        tip = commit
    else:
        # A revert of the last commit needs no merge: its tree is the one before.
        tip = commit_tree(repo, snapshot.base_tree, commit, messages.revert_message(iteration, commit))
    if not _follows(repo, place, snapshot, iteration):
        _move(repo, place, iteration, tip)
        return ()
    with moving(place), index_locked(repo):
        if not _follows(repo, place, snapshot, iteration):  # somebody switched branches while this waited
            _move(repo, place, iteration, tip)
            return ()
        if iteration.status is Status.KEEP:
            return _move_with_index(repo, place, snapshot, iteration, tip)
        left = replace_unchanged(repo, place.kept, snapshot.files, base_files(repo, snapshot))
        _move(repo, place, iteration, tip)
        return left


def _follows(repo: Repository, place: ExperimentFiles, snapshot: Snapshot, iteration: Iteration) -> bool:
    """Whether the work tree here follows: what was not taken from it is in it only as a KEEP."""
    is_there = bool(snapshot.work_tree) or iteration.status is Status.KEEP
    return is_there and is_checked_out(repo, place, snapshot)


def _move_with_index(
    repo: Repository, place: ExperimentFiles, snapshot: Snapshot, iteration: Iteration, commit: str
) -> tuple[str, ...]:
    """Have work tree, index and branch hold a KEEP; the paths that were left alone."""
    old = base_files(repo, snapshot)
    if not snapshot.work_tree:
        replace_unchanged(repo, place.kept, old, snapshot.files)
    held = index_entries(repo, old)
    others = [path for path, entry in held.items() if entry not in (old[path], snapshot.files[path])]
    staged = {path: entry for path, entry in snapshot.files.items() if path not in others}
    edited = [path for path, entry in snapshot.files.items() if file_entry(repo, path, entry) != entry]
    stage_locked(repo, staged)
    try:
        _move(repo, place, iteration, commit)
    except GitexpError:
        # git may have been killed when it had done its work.
        if refs.read(repo, f"refs/heads/{place.branch}") != commit:
            stage_locked(repo, {path: old[path] for path in staged})
        raise
    return tuple(dict.fromkeys(others + edited))


def follow(repo: Repository, place: ExperimentFiles, snapshot: Snapshot, iteration: Iteration) -> None:
    """Bring a KEEP into a work tree that was switching to its branch while the branch moved.

    ``git switch`` reads the branch first and moves HEAD last; in between the work tree is not the branch's yet.
    """
    if snapshot.work_tree or iteration.status is not Status.KEEP or not is_checked_out(repo, place, snapshot):
        return
    if all(file_entry(repo, path, entry) == entry for path, entry in snapshot.files.items()):
        return
    with moving(place), index_locked(repo):
        old = base_files(repo, snapshot)
        behind = [path for path, entry in index_entries(repo, old).items() if entry == old[path]]
        if behind and is_checked_out(repo, place, snapshot):
            wanted = {path: snapshot.files[path] for path in behind}
            replace_unchanged(repo, place.kept, old, wanted)
            stage_locked(repo, wanted)


def is_checked_out(repo: Repository, place: ExperimentFiles, snapshot: Snapshot) -> bool:
    """Whether the work tree here is the branch's (a baseline's branch is only about to be checked out)."""
    return snapshot.candidate.contract is not None or refs.current_branch(repo) == place.branch


def _write_again(repo: Repository, snapshot: Snapshot) -> None:
    """Write the candidate's objects once more where they are gone, from what the work tree still holds.

    ``git gc --prune=now`` beside a step may take them before a ref stands that keeps them. Raises
    :class:`GitexpError` where an object is gone for good.
    """
    tree, files = snapshot.candidate.tree, snapshot.files
    blobs = [entry.oid for entry in files.values() if entry]
    try:
        if repo.object(tree) and all(map(repo.object, blobs)) and entries(repo, tree, files).keys() <= files.keys():
            return
    except GitCommandError:  # a folder's tree is gone
        pass
    for path, entry in files.items():
        file_entry(repo, path, entry)
    read_blobs(repo, blobs)  # raises where the work tree does not hold them any more
    write_tree(repo, snapshot.base_tree, files)


def _move(repo: Repository, place: ExperimentFiles, iteration: Iteration, tip: str) -> None:
    """Move the branch and forget the candidate: the commit point."""
    with moving(place):
        refs.update(repo, f"gitexp: {iteration.status.value}", *_moves(place, iteration, tip))


def _moves(place: ExperimentFiles, iteration: Iteration, tip: str) -> tuple[str, str]:
    move = f"update refs/heads/{place.branch} {tip} {iteration.base}"
    if iteration.contract:
        move = f"create refs/heads/{place.branch} {tip}"
    return move, f"delete {place.ref} {iteration.tree}"


def base_files(repo: Repository, snapshot: Snapshot) -> dict[str, Entry | None]:
    """What the paths of the candidate held in the commit it is an edit of."""
    old = entries(repo, snapshot.base_tree, snapshot.files)
    return {path: old.get(path) for path in snapshot.files}


def hand_back(repo: Repository, place: ExperimentFiles, snapshot: Snapshot) -> tuple[str, ...]:
    """Give up the pending step, its edit in the work tree.

    Returns the paths left alone, because somebody changed them; then the candidate is kept as ``saved_ref``.
    """
    with signals_wait():
        old = base_files(repo, snapshot)
        if snapshot.work_tree:
            replace_unchanged(repo, place.kept, old, snapshot.files)
        left = save_if_lost(repo, place, snapshot)
        _unstage(repo, place, snapshot, old)
        give_up(repo, place)
        return left


def _unstage(repo: Repository, place: ExperimentFiles, snapshot: Snapshot, old: dict[str, Entry | None]) -> None:
    """A seal that did not come to its end may have staged the candidate."""
    held = index_entries(repo, old)
    ours = {path: old[path] for path in old if held[path] == snapshot.files[path] != old[path]}
    if ours:
        with moving(place), index_locked(repo):
            stage_locked(repo, ours)


def save_if_lost(repo: Repository, place: ExperimentFiles, snapshot: Snapshot) -> tuple[str, ...]:
    """See that the candidate's edit is not lost: where it was not taken from a work tree that holds it, a ref does.

    Returns the paths that hold something else.
    """
    if not snapshot.work_tree and snapshot.candidate.params:
        return ()  # a sweep makes it again
    left = tuple(
        path
        for path, entry in snapshot.files.items()
        if not snapshot.work_tree or file_entry(repo, path, entry) != entry
    )
    if left:
        with moving(place):
            refs.update(repo, "gitexp: saved", f"update {saved_ref(snapshot.candidate)} {snapshot.candidate.tree}")
    return left


def saved_ref(candidate: Candidate) -> str:
    return refs.saved(f"{candidate.id}-{candidate.run[:8]}")


def open_pending(repo: Repository, place: ExperimentFiles, snapshot: Snapshot) -> None:
    """From here the edit is safe: its bytes are objects, kept alive by a ref that only one step can create."""
    write_journal(place, snapshot)
    with moving(place):
        refs.update(repo, "gitexp: pending", f"create {place.ref} {snapshot.candidate.tree}")


def give_up(repo: Repository, place: ExperimentFiles) -> None:
    """Forget the pending step."""
    drop_ref(repo, place)
    clear(place)


def drop_ref(repo: Repository, place: ExperimentFiles) -> None:
    if refs.read(repo, place.ref):
        with moving(place):
            refs.update(repo, "gitexp: given up", f"delete {place.ref}")
