"""gitexp's own files: replaced as a whole or not at all, and locked against other processes."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gitexp.errors import GitexpError

PATIENCE = 100  # attempts, 0.01 s apart, to take a lock whose holder is dead or not known


@contextmanager
def lock(path: Path, what: str, purpose: str) -> Iterator[None]:
    """Hold the lock ``path`` inside the block; its text names this process and its ``purpose`` (a command's name).

    Raises at once, with ``what`` (the thing that is locked, in words) and the holder, when a living process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        _take(file, path, what)
        file.truncate(0)
        file.write(f"gitexp {purpose} (process {os.getpid()}, since {time.strftime('%H:%M:%S')})".encode())
        file.flush()
        yield
        file.truncate(0)


def _take(file: IO[bytes], path: Path, what: str) -> None:
    holder = ""
    # holder_of takes a shared lock briefly, and a killed gitexp's children may still hold theirs: so retry.
    for _ in range(PATIENCE):
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        holder = holder_of(path)
        if holder and _lives(holder):
            break
        time.sleep(0.01)
    raise GitexpError(f"{what} is in use by {holder or 'another gitexp'}.", "gitexp status")


def _lives(holder: str) -> bool:
    """Whether the process that a lock's text names is running; true where it names none."""
    pid = re.search(r"process (\d+)", holder)
    try:
        os.kill(int(pid[1]) if pid else 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def holder_of(path: Path) -> str:
    """The text of a lock that a process holds (``gitexp step (process 123, since 12:34:56)``); empty when none does."""
    try:
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        pass
    return ""


def write_file(path: Path, data: bytes) -> None:
    """Write by temporary file and rename: a reader sees the old bytes or the new ones, never a part.

    Without fsync, as in git: on a busy disk one takes seconds, and a step would make several.
    """
    part = part_file(path)
    try:
        try:
            part.write_bytes(data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def stat_signature(file: str | Path) -> tuple[int, ...] | None:
    """Inode, size in bytes, and the times of the last write and change in ns; ``None`` where there is no file.

    git's index, too, tells a changed file by these.
    """
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def remove_folder(folder: Path) -> None:
    """Remove a folder and everything in it that can be removed; folders that a run made read-only are included."""
    for inside, below, _ in os.walk(folder):
        for name in below:
            if not os.path.islink(path := os.path.join(inside, name)):
                os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def part_file(path: Path) -> Path:
    """The file beside ``path`` that this process writes, and then renames to ``path``."""
    return path.with_name(f".gitexp.{os.getpid()}.part")


def remove_part_files(folders: Iterable[Path]) -> None:
    """Remove the part files in ``folders``, which processes left that died while they wrote."""
    for part in [part for folder in set(folders) for part in folder.glob(".gitexp.*.part")]:
        part.unlink(missing_ok=True)
