"""Files as git objects: blobs, and trees written without an index, so that cost does not grow with the repository."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from gitexp.git.driver import read_line
from gitexp.git.repository import Repository, missing_object

GITLINK = "160000"
SYMLINK = "120000"
FOLDER = "040000"
EXECUTABLE = "100755"
REGULAR = "100644"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tree. ``mode`` is git's, as text: 100644, 100755, 120000 (symbolic link) or 160000 (submodule)."""

    mode: str
    oid: str


def entries(repo: Repository, tree: str, paths: Iterable[str] = ()) -> dict[str, Entry]:
    """The files of ``tree`` under ``paths`` (all, when there are none), by path."""
    named = sorted(set(paths))
    looked_up = [_look_up(repo, tree, path) for path in named]
    if not named or any(names is None for names in looked_up):  # a folder, or no such tree
        listing = repo.run("ls-tree", "-r", "-z", "--full-tree", tree, "--", *named)
        return {name.path: Entry(name.mode, name.oid) for name in _lines(listing)}
    return {path: entry for names in looked_up if names for path, entry in names.items()}


def _look_up(repo: Repository, tree: str, path: str) -> dict[str, Entry] | None:
    """The file at ``path``, if there is one; ``None`` where this needs git to list a folder."""
    *folders, last = path.split("/")
    for folder in folders:
        names = _names(repo, tree)
        if names is None:
            return None
        tree = names[folder].oid if folder in names and names[folder].kind == "tree" else ""
        if not tree:
            return {}
    names = _names(repo, tree)
    if names is None or last == "." or (last in names and names[last].kind == "tree"):
        return None
    return {path: Entry(names[last].mode, names[last].oid)} if last in names else {}


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
    blob = repo.filters.store(path)
    if not repo.config.get_bool("core.fileMode", True):
        return Entry(known.mode if known else REGULAR, blob)
    return Entry(EXECUTABLE if os.stat(file).st_mode & stat.S_IXUSR else REGULAR, blob)


def write_tree(repo: Repository, base: str, changes: Mapping[str, Entry | None]) -> str:
    """The tree ``base`` with ``changes`` made (``None`` removes a path); the new tree's id.

    Two processes for each folder touched, whatever the size of the repository.
    """
    return _write_tree(repo, base, changes) or _mktree(repo, {})


def _write_tree(repo: Repository, base: str | None, changes: Mapping[str, Entry | None]) -> str | None:
    """As :func:`write_tree`; ``None`` for a tree that came out empty, which git keeps only as the root."""
    names = (_names(repo, base) if base else {}) or {}
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
        found = names.get(name)
        folder = found.oid if found and found.kind == "tree" else None
        if tree := _write_tree(repo, folder, inner):
            names[name] = _Name(FOLDER, tree, name)
        elif folder:
            del names[name]
    for name, entry in here.items():  # last: a file may stand where a folder was emptied
        names[name] = _Name(entry.mode, entry.oid, name)
    return _mktree(repo, names) if names else None


def _mktree(repo: Repository, names: Mapping[str, _Name]) -> str:
    lines = (f"{name.mode} {name.kind} {name.oid}\t{name.path}\0" for name in names.values())
    return make_tree(repo, os.fsencode("".join(lines)))


def make_tree(repo: Repository, listing: bytes) -> str:
    """Write a tree of lines as ``git ls-tree -z`` prints them; returns its id."""
    return repo.ask("mktree", "-z", "--batch").ask(listing + b"\0", read_line)


def read_blobs(repo: Repository, oids: Iterable[str]) -> dict[str, bytes]:
    """The contents of blobs, by object id. Raises where one is missing."""
    contents: dict[str, bytes] = {}
    for oid in oids:
        blob = repo.object(oid)
        if blob is None:
            raise missing_object(oid)
        contents[oid] = blob.data
    return contents


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
    null = "0" * (64 if repo.config.get("extensions.objectFormat") == "sha256" else 40)
    lines = (f"{e.mode} {e.oid}\t{p}\0" if e else f"0 {null}\t{p}\0" for p, e in changes.items())
    repo.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)))


@dataclass(frozen=True, slots=True)
class _Name:
    """A line of a tree."""

    mode: str
    oid: str
    path: str

    @property
    def kind(self) -> str:
        return {FOLDER: "tree", GITLINK: "commit"}.get(self.mode, "blob")


def _names(repo: Repository, tree: str) -> dict[str, _Name] | None:
    """What stands in a tree itself, by name; ``None`` when there is no such tree. Its format is git's own::

    (mode SP name NUL raw-object-id)*
    """
    found = repo.tree(tree)
    if found is None:
        return None
    return dict(_parsed(found.data, len(found.oid) // 2))


@lru_cache(maxsize=32)  # the incumbent's are looked at again and again
def _parsed(data: bytes, width: int) -> Mapping[str, _Name]:
    names: dict[str, _Name] = {}
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        mode, name = data[at:space].decode("ascii").zfill(6), os.fsdecode(data[space + 1 : end])
        at = end + 1 + width
        names[name] = _Name(mode, data[end + 1 : at].hex(), name)
    return names


def _lines(listing: bytes) -> Iterator[_Name]:
    """The lines of ``git ls-tree -z``."""
    for record in os.fsdecode(listing).split("\0"):
        if record:
            facts, _, path = record.partition("\t")
            mode, _, oid = facts.split(" ")
            yield _Name(mode, oid, path)
