"""Files as git objects: blobs, and trees that are written without an index.

So a step costs the same in a repository of 10 files and of 20,000.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gitexp.git.driver import read_line
from gitexp.git.repository import Repository, missing_object
from gitexp.paths import link_above

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
    """The files of ``tree`` at or below ``paths`` (all, when there are none), by path. Raises for no tree."""
    named = sorted(set(paths))
    looked_up = [_look_up(repo, tree, path) for path in named]
    if not named or any(names is None for names in looked_up):  # a folder, or no such tree
        listing = repo.run("ls-tree", "-r", "-z", "--full-tree", tree, "--", *named)
        return {name.path: Entry(name.mode, name.oid) for name in _lines(listing)}
    return {path: entry for names in looked_up if names for path, entry in names.items()}


def _look_up(repo: Repository, tree: str, path: str) -> dict[str, Entry] | None:
    """The file at ``path``, by path, if there is one; ``None`` for a folder, which git has to list."""
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


def differing_entries(
    repo: Repository, one: str, other: str, paths: Iterable[str]
) -> tuple[dict[str, Entry | None], dict[str, Entry | None]]:
    """The files at or below ``paths`` that differ between two trees: by path the first tree's, and the second tree's.

    An entry is ``None`` where that tree has no file.
    """
    ours, theirs = (entries(repo, tree, paths) for tree in (one, other))
    differ = [path for path in {**ours, **theirs} if ours.get(path) != theirs.get(path)]
    return {path: ours.get(path) for path in differ}, {path: theirs.get(path) for path in differ}


def differences(repo: Repository, one: str, other: str) -> dict[str, Entry | None]:
    """By path, what ``other`` has where two trees differ. Folders that are the same in both are not read."""
    ours, theirs = (_names(repo, tree) if tree else {} for tree in (one, other))
    if ours is None or theirs is None:
        raise missing_object(one if ours is None else other)
    found: dict[str, Entry | None] = {}
    for name in {**ours, **theirs}:
        before, after = ours.get(name), theirs.get(name)
        if before == after:
            continue
        folders = [each.oid if each and each.kind == "tree" else "" for each in (before, after)]
        if before and not folders[0]:
            found[name] = None
        if any(folders):
            found |= {f"{name}/{path}": entry for path, entry in differences(repo, *folders).items()}
        if after and not folders[1]:
            found[name] = Entry(after.mode, after.oid)
    return found


def file_entry(repo: Repository, path: str, known: Entry | None = None) -> Entry | None:
    """The file of the work tree at ``path``, written as a blob through git's clean filters; ``None`` for no file.

    ``known`` is the entry of the commit: its mode is taken where the file system keeps no run bit.
    """
    file = repo.top / path
    mode = _mode(file)
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)) or link_above(repo.top, path):
        return None  # nothing, a folder, a FIFO or a device; and what lies behind a linked folder is not in the tree
    if stat.S_ISLNK(mode):
        return Entry(SYMLINK, repo.line("hash-object", "-w", "--stdin", stdin=os.fsencode(os.readlink(file))))
    blob = repo.filters.store(path)
    if not repo.config.get_bool("core.fileMode", True):
        return Entry(known.mode if known else REGULAR, blob)
    return Entry(EXECUTABLE if mode & stat.S_IXUSR else REGULAR, blob)


def _mode(file: Path) -> int:
    """The mode of what is there, a link for itself; 0 for nothing."""
    try:
        return os.lstat(file).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def write_tree(repo: Repository, base: str, changes: Mapping[str, Entry | None]) -> str:
    """Write the tree ``base`` with ``changes`` made (``None`` removes a path); returns its id.

    It reads and writes the folders on the way to the changes, and no others.
    """
    return _write_tree(repo, base, changes) or _mktree(repo, {})


def _write_tree(repo: Repository, base: str | None, changes: Mapping[str, Entry | None]) -> str | None:
    """As :func:`write_tree`; ``None`` for an empty tree, which git keeps as the root only."""
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
        old = names.get(name)
        folder = old.oid if old and old.kind == "tree" else None
        if tree := _write_tree(repo, folder, inner):
            names[name] = _Name(FOLDER, tree, name)
        elif folder:
            del names[name]
    for name, entry in here.items():  # last: a file may take the name of a folder that was emptied
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


def index_entries(repo: Repository, paths: Iterable[str]) -> dict[str, Entry | None]:
    """The index's entry of each of ``paths``; ``None`` where it has none."""
    staged: dict[str, Entry | None] = dict.fromkeys(paths)
    for record in os.fsdecode(repo.run("ls-files", "--stage", "-z", "--", *staged)).split("\0"):
        facts, _, path = record.partition("\t")
        if path in staged:
            mode, oid, _ = facts.split(" ")
            staged[path] = Entry(mode, oid)
    return staged


def stage(repo: Repository, changes: Mapping[str, Entry | None], index: Path | None = None) -> None:
    """Put ``changes`` into the index as they are, whatever the work tree holds; ``None`` removes a path.

    ``index`` is another index file than the repository's.
    """
    null = "0" * (64 if repo.config.get("extensions.objectFormat") == "sha256" else 40)
    lines = (f"{e.mode} {e.oid}\t{p}\0" if e else f"0 {null}\t{p}\0" for p, e in changes.items())
    env = {"GIT_INDEX_FILE": str(index)} if index else None
    repo.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)), env=env)


@dataclass(frozen=True, slots=True)
class _Name:
    """A line of a tree; ``path`` is a name where the tree was not listed by git."""

    mode: str
    oid: str
    path: str

    @property
    def kind(self) -> str:
        """The kind of the object: tree, commit (a submodule's) or blob."""
        return {FOLDER: "tree", GITLINK: "commit"}.get(self.mode, "blob")


def _names(repo: Repository, tree: str) -> dict[str, _Name] | None:
    """The lines of a tree by name, without those of its folders' trees; ``None`` when there is no such tree."""
    root = repo.tree(tree)
    if root is None:
        return None
    return dict(_parse_tree(root.data, len(root.oid) // 2))


@lru_cache(maxsize=32)  # the incumbent's trees are read again and again
def _parse_tree(data: bytes, width: int) -> Mapping[str, _Name]:
    """The lines of a tree as git stores it: ``(mode SP name NUL raw-object-id)*``; ids are ``width`` bytes."""
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
