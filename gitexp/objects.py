"""Files as git objects: blobs, and trees written without an index, so that cost does not grow with the repository."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gitexp.git import Repository

GITLINK = "160000"
SYMLINK = "120000"
EXECUTABLE = "100755"
REGULAR = "100644"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tree. ``mode`` is git's, as text: 100644, 100755, 120000 (symbolic link) or 160000 (submodule)."""

    mode: str
    oid: str


def entries(repo: Repository, tree: str, paths: Iterable[str] = ()) -> dict[str, Entry]:
    """The files of ``tree`` under ``paths`` (all, when there are none), by path."""
    listing = repo.run("ls-tree", "-r", "-z", "--full-tree", tree, "--", *paths)
    return {path: Entry(mode, oid) for mode, _, oid, path in _lines(listing)}


def differing(
    repo: Repository, one: str, other: str, paths: Iterable[str]
) -> tuple[dict[str, Entry | None], dict[str, Entry | None]]:
    """What each of two trees holds at the paths (at or below ``paths``) where they differ; ``None`` for nothing."""
    ours, theirs = (entries(repo, tree, paths) for tree in (one, other))
    differ = [path for path in {**ours, **theirs} if ours.get(path) != theirs.get(path)]
    return {path: ours.get(path) for path in differ}, {path: theirs.get(path) for path in differ}


def file_entry(repo: Repository, path: str, known: Entry | None = None) -> Entry | None:
    """What the work tree holds at ``path``, stored through git's clean filters; ``None`` when no file is there.

    ``known`` is the entry it had before: its mode stands where the file system keeps no run bit.
    """
    file = repo.top / path
    if not os.path.lexists(file) or (file.is_dir() and not file.is_symlink()):
        return None
    if file.is_symlink():
        return Entry(SYMLINK, repo.line("hash-object", "-w", "--stdin", stdin=os.fsencode(os.readlink(file))))
    blob = repo.line("hash-object", "-w", "--", path)
    if not repo.config_bool("core.fileMode", True):
        return Entry(known.mode if known else REGULAR, blob)
    return Entry(EXECUTABLE if os.stat(file).st_mode & stat.S_IXUSR else REGULAR, blob)


def write_tree(repo: Repository, base: str, changes: Mapping[str, Entry | None]) -> str:
    """The tree ``base`` with ``changes`` made (``None`` removes a path); the new tree's id.

    Two processes for each folder touched, whatever the size of the repository.
    """
    return _write_tree(repo, base, changes) or _mktree(repo, {})


def _write_tree(repo: Repository, base: str | None, changes: Mapping[str, Entry | None]) -> str | None:
    """As :func:`write_tree`; ``None`` for a tree that came out empty, which git keeps only as the root."""
    listing = repo.run("ls-tree", "-z", base) if base else b""
    names = {name: (mode, kind, oid) for mode, kind, oid, name in _lines(listing)}
    below: dict[str, dict[str, Entry | None]] = {}
    here: dict[str, Entry] = {}
    for path, entry in changes.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        elif entry:
            here[name] = entry
        else:
            names.pop(name, None)
    for name, inner in below.items():
        _, kind, oid = names.get(name, ("", "", ""))
        if tree := _write_tree(repo, oid if kind == "tree" else None, inner):
            names[name] = ("040000", "tree", tree)
        elif kind == "tree":
            del names[name]
    for name, entry in here.items():  # last: a file may stand where a folder was emptied
        names[name] = (entry.mode, "commit" if entry.mode == GITLINK else "blob", entry.oid)
    return _mktree(repo, names) if names else None


def _mktree(repo: Repository, names: Mapping[str, tuple[str, str, str]]) -> str:
    lines = (f"{mode} {kind} {oid}\t{name}\0" for name, (mode, kind, oid) in names.items())
    return repo.line("mktree", "-z", stdin=os.fsencode("".join(lines)))


def in_index(repo: Repository, paths: Iterable[str]) -> dict[str, Entry | None]:
    """What the index holds at each of ``paths``; ``None`` where it holds nothing."""
    found: dict[str, Entry | None] = dict.fromkeys(paths)
    for record in os.fsdecode(repo.run("ls-files", "--stage", "-z", "--", *found)).split("\0"):
        facts, _, path = record.partition("\t")
        if path in found:
            mode, oid, _ = facts.split(" ")
            found[path] = Entry(mode, oid)
    return found


def stage(repo: Repository, changes: Mapping[str, Entry | None]) -> None:
    """Put ``changes`` into the index as they are, whatever the work tree holds."""
    null = "0" * (64 if repo.config("extensions.objectFormat") == "sha256" else 40)
    lines = (f"{e.mode} {e.oid}\t{p}\0" if e else f"0 {null}\t{p}\0" for p, e in changes.items())
    repo.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)))


def _lines(listing: bytes) -> Iterator[tuple[str, str, str, str]]:
    """Mode, kind, object id and path of each line of ``git ls-tree -z``."""
    for record in os.fsdecode(listing).split("\0"):
        if record:
            facts, _, path = record.partition("\t")
            mode, kind, oid = facts.split(" ")
            yield mode, kind, oid, path
