"""A note of the refs that a command moves: if the command or its git dies meanwhile, their locks are gitexp's to clear.

It is for commands that hold no experiment's lock: ``pick``, ``pr`` and ``logs``. A step notes the same among the files
of its experiment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from gitexp.errors import GitexpError
from gitexp.files import find_file, write_file
from gitexp.git import refs
from gitexp.git.lock_files import is_in_use
from gitexp.git.repository import Repository

PREFIX = "moved-refs-"  # of a note's name; the process's id follows
PATIENCE = 2.0  # seconds that another git is given to finish
_CLOCK = 0.1  # seconds by which a file system's clock may be behind


@contextmanager
def noted(repo: Repository, *names: str) -> Iterator[None]:
    """The note stands while the body moves the refs ``names``, and stays where the body raises.

    What an earlier command left is cleared first.
    """
    clear_locks(repo)
    note = repo.private_dir / f"{PREFIX}{os.getpid()}"
    write_file(note, "\n".join(names).encode())
    yield
    note.unlink(missing_ok=True)


def move(repo: Repository, reason: str, ref: str, new: str, old: str | None, start: str | None) -> None:
    """Move ``ref`` from ``old`` (``None``: it is made) to the commit ``new``, whose objects since ``start`` are new.

    Raises GitexpError, with the ref where it was, where it is not ``old``, and where the new objects are gone:
    ``git gc --prune=now`` takes what no ref holds yet.
    """
    with noted(repo, ref):
        refs.update(repo, reason, f"update {ref} {new} {old}" if old else f"create {ref} {new}")
        known = ("--not", start) if start else ()
        if repo.lookup("rev-list", "--objects", "--quiet", new, *known, "--", none=128) is None:
            refs.update(repo, reason, f"update {ref} {old} {new}" if old else f"delete {ref} {new}")
            raise GitexpError(f"Objects that {ref} needs were removed meanwhile: git gc ran beside.", "git gc")


def clear_locks(repo: Repository) -> list[Path]:
    """Remove the locks of refs that dead or failed commands left, unless a git is at work here; the locks removed."""
    cleared: list[Path] = []
    for note in sorted(repo.private_dir.glob(f"{PREFIX}*")):
        if _is_of_another(note):
            continue
        locks = [lock for lock in _locks(repo, note) if _is_newer(lock, note)]
        if locks and is_in_use(repo, PATIENCE):
            break
        for lock in locks:
            lock.unlink(missing_ok=True)
        note.unlink(missing_ok=True)
        cleared += locks
    return cleared


def _is_of_another(note: Path) -> bool:
    """Whether the process that wrote the note is another one, and lives."""
    pid = note.name.removeprefix(PREFIX)
    return not pid.isdigit() or (int(pid) != os.getpid() and psutil.pid_exists(int(pid)))


def _locks(repo: Repository, note: Path) -> list[Path]:
    names = os.fsdecode(find_file(note) or b"").splitlines()
    return [repo.common_dir / f"{name}.lock" for name in (*names, "packed-refs")]


def _is_newer(lock: Path, note: Path) -> bool:
    try:
        return lock.stat().st_mtime >= note.stat().st_mtime - _CLOCK
    except FileNotFoundError:
        return False
