"""Loose objects, packed as they pile up: git packs by itself after porcelain only, and a step uses plumbing.

``git repack -d`` packs them, in the background. It removes loose objects that are in a pack, and nothing else: nothing
is pruned, and neither a step that reads or writes beside it nor a kill -9 loses anything. (It may leave
``objects/pack/tmp_pack_*``, which ``git prune`` removes.) From git 2.33 on, ``--geometric`` packs unreachable objects
too, and keeps the packs few by joining small ones; an older git adds a pack each time, until its own gc.

``git maintenance run --task=loose-objects`` is not used: its lock is a file, and after a kill -9 it would never run
again.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import subprocess
from pathlib import Path
from typing import IO

from gitexp.errors import GitexpError
from gitexp.files import open_file
from gitexp.git.repository import Repository

SAMPLE = "17"  # the folder of loose objects by which git, too, estimates how many there are
_SHARE = 256  # one object in so many is in that folder
FEW = 8  # files there: about 2,000 objects, the work of 400 steps. git itself would wait for 27
LOCK = "packing"  # held by the packing process as long as it lives; its text: how many files the last packing left
_GEOMETRIC = (2, 33)  # the git version
# The shell ends at once: the git that it starts is not a child of gitexp, so no run takes it for one of its processes.
_DETACHED = 'nice git "$@" &'


def pack(repo: Repository) -> None:
    """Start packing in the background, if it is due. The caller neither waits for it nor sees it fail."""
    # No reason not to pack is a reason not to take a step. BlockingIOError: another process is packing.
    with contextlib.suppress(OSError, GitexpError), open_file(repo.shared_lock(LOCK), "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_due(repo, file) and _is_wanted(repo):
            _write(file, len(_sampled(repo)))
            if _has_room(repo):
                _start(repo, file)


def _is_due(repo: Repository, file: IO[bytes]) -> bool:
    """Whether many more objects are loose than the last packing left: those it could not pack are not tried again."""
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
    """Whether the user lets git pack by itself."""
    threshold = repo.config.get_int("gc.auto")
    return (threshold is None or threshold > 0) and repo.config.get_bool("maintenance.auto", True)


def _has_room(repo: Repository) -> bool:
    """Whether all objects could be written once more without filling the disk: git leaves a pack it cannot finish."""
    objects = repo.common_dir / "objects"
    packs = sum(file.stat().st_size for file in (objects / "pack").iterdir())
    loose = sum(file.stat().st_size for file in _sampled(repo)) * _SHARE
    return shutil.disk_usage(objects).free > 2 * (packs + loose)


def _start(repo: Repository, file: IO[bytes]) -> None:
    # One thread, as a training may be running. No bitmap, as git refuses to write one for a part of the objects.
    words = [f"--git-dir={repo.common_dir.absolute()}", "-c", "pack.threads=1", "repack", "-d", "-l", "-q"]
    subprocess.run(
        ["sh", "-c", _DETACHED, "sh", *words, "--no-write-bitmap-index", *_geometric(repo)],
        cwd="/",  # gitexp.git.lock_files waits for git processes inside; this one takes no lock that a step could meet
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=[file.fileno()],
        check=False,
    )


def _geometric(repo: Repository) -> list[str]:
    """The option that joins small packs, where git can: it mixed up the packs of partial clones, and failed beside
    borrowed ones (both before 2.41)."""
    borrows = (repo.common_dir / "objects/info/alternates").exists()
    if repo.driver.version_info < _GEOMETRIC or borrows or repo.is_partial():
        return []
    return ["--geometric=2"]
