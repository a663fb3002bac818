"""Files of ours on disk: replaced whole or not at all, and locked against each other."""

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

PATIENCE = 100  # hundredths of a second that a lock is waited for whose holder is not known, or dead


@contextmanager
def lock(path: Path, what: str, purpose: str) -> Iterator[None]:
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
    for _ in range(PATIENCE):  # who only asks who holds it holds it for a moment, as does what the dead left running
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        holder = holder_of(path)
        if holder and _lives(holder):
            break
        time.sleep(0.01)
    raise GitexpError(f"{what} is in use by {holder or 'another gitexp'}.", "gitexp status")


def _lives(holder: str) -> bool:
    found = re.search(r"process (\d+)", holder)
    try:
        os.kill(int(found[1]) if found else 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def holder_of(path: Path) -> str:
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

    Without fsync, as git does: on a busy disk one takes seconds, and a step makes several.
    """
    part = part_of(path)
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
    """What tells a file from a changed one, as git's index does; ``None`` when there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def remove_folder(folder: Path) -> None:
    """Remove a folder and all that is in it, as far as it can be; a run may have made folders read-only."""
    for inside, below, _ in os.walk(folder):
        for name in below:
            if not os.path.islink(path := os.path.join(inside, name)):
                os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def part_of(path: Path) -> Path:
    """Where the bytes are gathered that will be renamed to ``path``."""
    return path.with_name(f".gitexp.{os.getpid()}.part")


def sweep(folders: Iterable[Path]) -> None:
    """Remove what processes that died while they wrote left in ``folders``."""
    for part in [part for folder in set(folders) for part in folder.glob(".gitexp.*.part")]:
        part.unlink(missing_ok=True)
