"""Loose objects, packed as they pile up: a step is all plumbing, and git packs of itself after porcelain only.

What packs is ``git repack -d``, in the background. It removes loose objects that are in a pack, and nothing else:
nothing is pruned, and neither a step that reads or writes beside it nor a kill -9 loses anything. (It may leave
``objects/pack/tmp_pack_*``, which ``git prune`` removes.) From git 2.33 on ``--geometric`` takes unreachable objects
along, and keeps the packs few by joining small ones; before that each time adds one, until git's own gc.

Not ``git maintenance run --task=loose-objects``: its lock is a file, and after a kill -9 it would never run again.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import subprocess
from pathlib import Path
from typing import IO

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository

SAMPLE = "17"  # the folder by which git, too, estimates how many objects lie loose
_SHARE = 256  # one object in so many lies there
FEW = 8  # files there: about 2,000 objects, the work of 400 steps. git itself would wait for 27
LOCK = "packing"  # held by what packs, as long as it lives; in it: how many files the last time left
_GEOMETRIC = (2, 33)
# The shell is gone at once: what it starts is no child of ours, so no run of ours takes it for one of its own.
_DETACHED = 'nice git "$@" &'


def pack(repo: Repository) -> None:
    """Start packing in the background, if there is reason to. The caller neither waits for it nor hears of it."""
    # Whatever keeps it from packing keeps no step from being taken. BlockingIOError: it is being done.
    with contextlib.suppress(OSError, GitexpError), open(repo.shared_lock(LOCK), "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_due(repo, file) and _is_wanted(repo):
            _write(file, len(_sampled(repo)))
            if _has_room(repo):
                _start(repo, file)


def _is_due(repo: Repository, file: IO[bytes]) -> bool:
    """Whether many more lie loose than the last time left: what it cannot pack is not tried again at every step."""
    file.seek(0)
    noted = file.read()
    left, loose = int(noted) if noted.isdigit() else 0, len(_sampled(repo))
    if loose < left:
        _write(file, loose)
    return loose > left + FEW


def _sampled(repo: Repository) -> list[Path]:
    folder = repo.common_dir / "objects" / SAMPLE
    return list(folder.iterdir()) if folder.is_dir() else []


def _write(file: IO[bytes], number: int) -> None:
    file.truncate(0)
    file.write(b"%d" % number)
    file.flush()


def _is_wanted(repo: Repository) -> bool:
    """Whether git may pack here of its own accord."""
    threshold = repo.config.get_int("gc.auto")
    return (threshold is None or threshold > 0) and repo.config.get_bool("maintenance.auto", True)


def _has_room(repo: Repository) -> bool:
    """Whether everything could be written once more, and the disk not be full: git leaves what it cannot finish."""
    objects = repo.common_dir / "objects"
    packs = sum(file.stat().st_size for file in (objects / "pack").iterdir())
    loose = sum(file.stat().st_size for file in _sampled(repo)) * _SHARE
    return shutil.disk_usage(objects).free > 2 * (packs + loose)


def _start(repo: Repository, file: IO[bytes]) -> None:
    # One thread, for a training may be at work; the option against bitmaps, for they refuse to be written for a part.
    words = [f"--git-dir={repo.common_dir.absolute()}", "-c", "pack.threads=1", "repack", "-d", "-l", "-q"]
    subprocess.run(
        ["sh", "-c", _DETACHED, "sh", *words, "--no-write-bitmap-index", *_joining(repo)],
        cwd="/",  # it takes no lock that a step could meet, so gitexp.iteration.stale_locks need not wait for it
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=[file.fileno()],
        check=False,
    )


def _joining(repo: Repository) -> list[str]:
    """What makes git join small packs, where it can: it mixed up a partial clone's packs, and stumbled over borrowed
    ones (before 2.41)."""
    borrows = (repo.common_dir / "objects/info/alternates").exists()
    if repo.driver.version_info < _GEOMETRIC or borrows or repo.is_partial():
        return []
    return ["--geometric=2"]
