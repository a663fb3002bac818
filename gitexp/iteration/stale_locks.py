"""git's lock files that outlived their process: those that our own left are cleared, others are reported.

A lock is ours when a gitexp, or its git, died while it moved refs or the index of this experiment (it had noted that it
began), the lock was made within a minute of that, and no git is at work in the repository now.
"""

from __future__ import annotations

import time
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.git.lock_files import is_in_use, lock_files
from gitexp.git.repository import Repository
from gitexp.iteration.moving import forget_mover, mover
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.observer import Observer
from gitexp.run.leader import Process
from gitexp.shell import command
from gitexp.text import visible

_CLOCK = 0.1  # seconds by which a file system's clock may be behind
_MOVING = 60.0  # seconds that moving refs and index may have taken
PATIENCE = 2.0  # seconds that another git is given to finish


def clear_stale(repo: Repository, place: ExperimentFiles, observer: Observer) -> None:
    """Remove the locks that a dead gitexp of this experiment, or its git, left. Its caller holds the experiment's."""
    dead = mover(place)
    if dead is None:
        return
    since = time.strftime("%H:%M:%S", time.localtime(dead.since))
    ours = [lock for lock in _locks(repo, place) if _is_of(lock, dead)]
    if ours and is_in_use(repo, PATIENCE):
        return
    for lock in ours:
        lock.unlink(missing_ok=True)
        observer.say(
            f"Cleared {lock}: a gitexp (process {dead.pid}) left it when it, or its git, was killed at {since}."
        )
    forget_mover(place)


def check_none(repo: Repository, place: ExperimentFiles) -> None:
    """Raise for a lock that would keep an iteration from being sealed: better now than after its run."""
    until = time.monotonic() + PATIENCE
    while found := present(repo, place):
        if time.monotonic() > until:
            lock = found[0]
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lock.stat().st_mtime))
            raise GitexpError(
                f"{visible(str(lock))} is in the way, since {when}: another git is at work here, or died. "
                "gitexp did not make it.",
                f"{command('rm', lock)}   # when no git runs here",
            )
        time.sleep(0.05)


def present(repo: Repository, place: ExperimentFiles) -> list[Path]:
    return [lock for lock in _locks(repo, place) if lock.exists()]


def _locks(repo: Repository, place: ExperimentFiles) -> list[Path]:
    return lock_files(repo, f"refs/heads/{place.branch}", place.ref)


def _is_of(lock: Path, mover: Process) -> bool:
    try:
        return mover.since - _CLOCK <= lock.stat().st_mtime <= mover.since + _MOVING
    except FileNotFoundError:
        return False
