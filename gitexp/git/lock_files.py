"""git's lock files: where they are, and whether a git process that may hold one is at work."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from gitexp.git import refs
from gitexp.git.repository import Repository

# The subcommands of the processes that gitexp keeps open while it lives: they take no lock.
_LOCKLESS = ("cat-file", "hash-object", "mktree", "diff-tree")


def lock_files(repo: Repository, *names: str) -> list[Path]:
    """The locks that git takes to write the index, HEAD, the refs ``names`` or a saved ref; most do not exist."""
    shared = (*names, "packed-refs", "reftable/tables.list")
    return [
        repo.git_dir / "index.lock",
        repo.git_dir / "HEAD.lock",
        *(repo.common_dir / f"{name}.lock" for name in shared),
        *(repo.common_dir / refs.SAVED).glob("*.lock"),
    ]


def is_in_use(repo: Repository, patience: float) -> bool:
    """Whether a git process works in this repository and goes on doing so for ``patience`` seconds."""
    until = time.monotonic() + patience
    while any(_works_in(process, repo) for process in psutil.process_iter()):
        if time.monotonic() > until:
            return True
        time.sleep(0.05)
    return False


def _works_in(process: psutil.Process, repo: Repository) -> bool:
    try:
        name = process.name()
        if not (name == "git" or name.startswith("git-")) or process.status() == psutil.STATUS_ZOMBIE:
            return False
        if _subcommand(process.cmdline()) in _LOCKLESS:
            return False
        cwd = Path(process.cwd())
    except (psutil.Error, OSError):
        return False
    return any(cwd == root or root in cwd.parents for root in (repo.root, repo.common_dir, repo.git_dir) if root)


def _subcommand(words: list[str]) -> str:
    """The name after ``git -c KEY=VALUE ...``: gitexp pins its git's settings so."""
    words = words[1:]
    while words[:1] == ["-c"]:
        words = words[2:]
    return words[0] if words else ""
