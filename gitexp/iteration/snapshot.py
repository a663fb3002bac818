"""The candidate, taken from the work tree: its files as blobs, its tree, and what its commit will say."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from gitexp.git import refs
from gitexp.git.diff import patch_id
from gitexp.git.objects import Entry, entries, read_blobs, write_tree
from gitexp.git.repository import Repository
from gitexp.git.worktree import edits, untracked_below
from gitexp.iteration.edit import changed, code_lines, summarise
from gitexp.iteration.journal import Files, Snapshot
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Candidate, Contract, Notes
from gitexp.run.in_place import written_by_runs
from gitexp.run.missing import check_imports
from gitexp.views import notebook, on_disk


def take_snapshot(
    repo: Repository,
    place: ExperimentFiles,
    identity: str,
    *,
    base: str,
    paths: Iterable[str],
    home: str,
    description: str,
    body: str = "",
    notes: Notes,
    params: tuple[tuple[str, str], ...] = (),
    contract: Contract | None = None,
    files: Files | None = None,
) -> Snapshot:
    """What ``paths`` hold now, as an edit of the commit ``base``, with what people wrote in EXPERIMENT.md meanwhile.

    Where the edit does not lie in the work tree, it is ``files``. Raises when anything but ``paths`` differs from HEAD
    in the work tree that the edit is taken from: then what would run is not what would be committed.
    """
    base_tree = repo.tree_of(base)
    is_here = contract is not None or refs.current_branch(repo) == place.branch
    written = on_disk.unsealed(repo, place, home) if is_here else Notes()
    work_tree = str(repo.top) if files is None else ""
    files = _edits(repo, place, paths) if files is None else _differing(repo, base_tree, files)
    tree = write_tree(repo, base_tree, files)
    changes, patch = ((), "") if contract else _edit(repo, base_tree, tree, files)
    candidate = Candidate(
        id=identity,
        run=uuid.uuid4().hex,
        base=base,
        tree=tree,
        description=description,
        body=body,
        notes=notes.beside(written),
        changes=changes,
        patch=patch,
        params=params,
        contract=contract,
    )
    return Snapshot(candidate, base_tree, files, notebook.current(repo, home) if is_here else "", work_tree)


def check_imported(repo: Repository, contract: Contract, snapshot: Snapshot, paths: Iterable[str]) -> None:
    """Raise where Python of the candidate, at or below ``paths``, imports what a clean tree will not have."""
    tree = snapshot.candidate.tree
    if contract.in_place:
        return
    found = {path: entry.oid for path, entry in entries(repo, tree, paths).items() if path.endswith(".py")}
    blobs = read_blobs(repo, set(found.values()))
    check_imports(repo, contract, tree, {path: blobs[oid] for path, oid in found.items()})


def _edits(repo: Repository, place: ExperimentFiles, paths: Iterable[str]) -> Files:
    paths = tuple(paths)
    return edits(repo, paths, written_by_runs(repo, place, untracked_below(repo, paths)))


def _differing(repo: Repository, base_tree: str, files: Files) -> Files:
    old = entries(repo, base_tree, files) if files else {}
    return {path: entry for path, entry in files.items() if entry != old.get(path)}


def _edit(
    repo: Repository, base_tree: str, tree: str, changes: Mapping[str, Entry | None]
) -> tuple[tuple[str, ...], str]:
    """What the edit changes, by syntax, and its patch id."""
    with patch_id(repo, base_tree, tree, changes) as patch:
        return changed(_contents(repo, base_tree, changes)), patch()


def shorter(repo: Repository, snapshot: Snapshot) -> int:
    """By how many lines of code the edit makes its files shorter."""
    contents = _contents(repo, snapshot.candidate.base, snapshot.files)
    return sum(code_lines(old) - code_lines(new) for old, new in contents.values())


def summary(repo: Repository, snapshot: Snapshot) -> str:
    """The edit in a line, for want of its author's words."""
    return summarise(_contents(repo, snapshot.candidate.base, snapshot.files))


def _contents(repo: Repository, base: str, changes: Mapping[str, Entry | None]) -> dict[str, tuple[bytes, bytes]]:
    """By path, what the file holds in the commit ``base`` and in the candidate; empty where there is none."""
    old = entries(repo, base, changes) if changes else {}
    sides = {path: (old.get(path), new) for path, new in changes.items()}
    blobs = read_blobs(repo, {entry.oid for pair in sides.values() for entry in pair if entry})
    return {path: (_content(blobs, a), _content(blobs, b)) for path, (a, b) in sides.items()}


def _content(blobs: Mapping[str, bytes], entry: Entry | None) -> bytes:
    return blobs.get(entry.oid, b"") if entry else b""
