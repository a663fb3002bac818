"""Put files of the work tree back without losing what somebody saves at that moment."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from gitexp.git.kept_files import HIDDEN, KeptFile, fingerprint
from gitexp.git.objects import Entry, file_entry
from gitexp.git.repository import Repository
from gitexp.git.status import exclude
from gitexp.git.worktree import remove_empty, write_entry
from gitexp.paths import inside, link_above
from gitexp.signals import signals_wait


def replace_unchanged(
    repo: Repository, kept: Path, held: Mapping[str, Entry | None], wanted: Mapping[str, Entry | None]
) -> tuple[str, ...]:
    """Write each entry of ``wanted`` where the work tree still holds the entry of ``held``. The index is not touched.

    What stood there is kept below ``kept``: see :mod:`gitexp.git.kept_files`. Returns the paths that are left alone
    because somebody changed them meanwhile.
    """
    left: list[str] = []
    # Fingerprints first: a save between the two looks shows in the entry. And all of them by the filters as they were.
    seen = {path: fingerprint(repo.top / path) for path in wanted}
    before = {path: file_entry(repo, path, held[path]) for path in wanted}
    for path, entry in sorted(wanted.items(), key=removals_first):
        now = before[path]
        if now == entry:
            continue
        can_write = now == held[path] and _can_write(repo, path, entry)
        if not (can_write and _replace(repo, kept, path, seen[path], entry)):
            left.append(path)
    return tuple(left)


def removals_first(change: tuple[str, Entry | None]) -> tuple[bool, bool]:
    """Files are removed first, to make room; then come the attributes by which the other files are written."""
    path, entry = change
    return entry is not None, os.path.basename(path) != ".gitattributes"


def _can_write(repo: Repository, path: str, entry: Entry | None) -> bool:
    """Whether ``path`` is neither a folder now, nor below a file: those are somebody's."""
    file = repo.top / path
    if file.is_dir() and not file.is_symlink():
        return False
    if link_above(repo.top, path):
        return False
    return entry is None or all(not os.path.lexists(p) or p.is_dir() for p in file.parents)


def _replace(repo: Repository, kept: Path, path: str, seen: str, entry: Entry | None) -> bool:
    """Write ``entry`` at ``path`` if what is ``seen`` still stands there; ``None`` removes the file.

    Raises :class:`gitexp.paths.UnsafePathError` for a path that may lead out of the work tree.
    """
    file = inside(repo.top, path)
    try:
        return _swap(repo, KeptFile.of(kept, path), file, seen, entry)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    exclude(repo, [f"**/{HIDDEN}"], "kept by gitexp until the next step")
    return _swap(repo, KeptFile.of(kept, path, beside=file.parent), file, seen, entry)


def _swap(repo: Repository, keep: KeptFile, file: Path, seen: str, entry: Entry | None) -> bool:
    with signals_wait():
        if entry is None:
            done = keep.note(seen).move_out(file, seen)
            remove_empty(file.parent, repo.top)
            return done
        write_entry(repo, keep.path, entry, at=keep.new)
        keep = keep.note(seen, fingerprint(keep.new))
        if seen:
            return keep.swap_in(file, seen)
        file.parent.mkdir(parents=True, exist_ok=True)
        return keep.move_in(file)
