"""git's lock files that outlived their process: those that our own left are cleared, others are reported.

A lock is ours when a gitexp died while it moved refs or the index of this experiment (it had noted that it began), the
lock was made within a minute of that, and no git is at work in the repository now.
"""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles, Process
from gitexp.observer import Observer

_CLOCK = 0.1  # seconds by which a file system's clock may be behind
_MOVING = 60.0  # seconds that moving refs and index may have taken
PATIENCE = 2.0  # seconds that another git is given to finish


def clear_stale(repo: Repository, place: ExperimentFiles, observer: Observer) -> None:
    """Remove the locks that a dead gitexp of this experiment left. Its caller holds the experiment's lock."""
    mover = place.mover()
    if mover is None:
        return
    since = time.strftime("%H:%M:%S", time.localtime(mover.since))
    ours = [lock for lock in _locks(repo, place) if _is_of(lock, mover)]
    if ours and _in_use(repo):
        return
    for lock in ours:
        lock.unlink(missing_ok=True)
        observer.say(f"Cleared {lock}: a gitexp (process {mover.pid}) left it when it was killed at {since}.")
    place.forget_mover()


def check_none(repo: Repository, place: ExperimentFiles) -> None:
    """Raise for a lock that would keep an iteration from being sealed: better now than after its run."""
    until = time.monotonic() + PATIENCE
    while found := present(repo, place):
        if time.monotonic() > until:
            lock = found[0]
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lock.stat().st_mtime))
            raise GitexpError(
                f"{lock} is in the way, since {when}: another git is at work here, or died. gitexp did not make it.",
                f"rm {lock}   # when no git runs here",
            )
        time.sleep(0.05)


def present(repo: Repository, place: ExperimentFiles) -> list[Path]:
    return [lock for lock in _locks(repo, place) if lock.exists()]


def _locks(repo: Repository, place: ExperimentFiles) -> list[Path]:
    refs = [f"refs/heads/{place.branch}", place.ref, "packed-refs", "reftable/tables.list"]
    return [
        repo.git_dir / "index.lock",
        repo.git_dir / "HEAD.lock",
        *(repo.common_dir / f"{ref}.lock" for ref in refs),
        *(repo.common_dir / "refs/gitexp/saved").glob("*.lock"),
    ]


def _is_of(lock: Path, mover: Process) -> bool:
    try:
        return mover.since - _CLOCK <= lock.stat().st_mtime <= mover.since + _MOVING
    except FileNotFoundError:
        return False


def _in_use(repo: Repository) -> bool:
    """Whether some git process works in this repository and goes on doing so."""
    until = time.monotonic() + PATIENCE
    while any(_works_in(process, repo) for process in psutil.process_iter()):
        if time.monotonic() > until:
            return True
        time.sleep(0.05)
    return False


_LOCKLESS = (["cat-file"], ["hash-object"], ["mktree"], ["diff-tree"])  # which gitexp keeps open while it lives


def _works_in(process: psutil.Process, repo: Repository) -> bool:
    try:
        name = process.name()
        if not (name == "git" or name.startswith("git-")) or process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.cmdline()[1:2] in _LOCKLESS:
            return False
        cwd = Path(process.cwd())
    except (psutil.Error, OSError):
        return False
    return any(cwd == root or root in cwd.parents for root in (repo.root, repo.common_dir, repo.git_dir) if root)
