"""Every file that gitexp opens: regular ones only, no links, bounded, replaced whole or not at all.

A run, or whoever made a branch, may have put a FIFO, a device or a link where gitexp looks, or a file of any size.
A test finds each ``open`` in the code that does not stand here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

from gitexp.errors import GitexpError

LIMIT = 64 << 20  # bytes of a file that are read at most, where nothing else is said
PATIENCE = 100  # attempts, 0.01 s apart, to take a lock whose holder is dead or not known


@contextmanager
def lock(
    path: Path,
    what: str,
    purpose: str,
    hint: str = "gitexp status",
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the lock ``path`` inside the block; its text names this process and its ``purpose`` (a command's name).

    Raises at once, with ``what`` (the thing that is locked, in words), the holder and ``hint``, when a living process
    holds it. With ``on_wait``, which is told the holder, it waits instead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_file(path, "a+b") as file:
        holder = _take(file, path)
        if holder and on_wait is None:
            raise GitexpError(f"{what} is in use by {holder}.", hint)
        if holder and on_wait:
            on_wait(holder)
            fcntl.flock(file, fcntl.LOCK_EX)  # the kernel wakes who waits: two loops take turns
        file.truncate(0)
        file.write(f"gitexp {purpose} (process {os.getpid()}, since {time.strftime('%H:%M:%S')})".encode())
        file.flush()
        yield
        file.truncate(0)


def _take(file: IO[bytes], path: Path) -> str:
    """Take the lock; the holder where somebody else has it, and empty where it is taken."""
    holder = ""
    # _noted_holder takes a shared lock briefly, and a killed gitexp's children may still hold theirs: so retry.
    for _ in range(PATIENCE):
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return ""
        holder = _noted_holder(path)
        if holder and is_alive(holder):
            break
        time.sleep(0.01)
    return holder or "another gitexp"


def is_alive(holder: str) -> bool:
    """Whether the process that a lock's text names is running; true where it names none."""
    pid = re.match(r".*process (\d+)", holder, re.DOTALL)  # the last: the purpose may name a folder
    try:
        os.kill(int(pid[1]) if pid else 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def holder_of(path: Path) -> str:
    """The text of a lock that a process holds (``gitexp step (process 123, since 12:34:56)``); empty when none does.

    Empty too where that process is dead, and something that it forked off still has its lock for a moment.
    """
    holder = _noted_holder(path)
    return holder if is_alive(holder) else ""


def _noted_holder(path: Path) -> str:
    """The text of a lock that is held, whether or not the process that it names lives; empty where none is held."""
    try:
        with open_file(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        pass
    return ""


class NotRegularError(OSError):
    """A link, a FIFO, a device or a folder stands where a file is opened."""


class TooLargeError(OSError):
    """A file is larger than what is read of it."""


def open_file(path: Path, mode: str = "rb", *, follow: bool = False) -> BinaryIO:
    """Open a regular file, to read (``rb``), to change (``r+b``), to append (``ab``, ``a+b``) or to make (``xb``).

    A link at ``path`` is refused unless ``follow`` is set; nothing is waited for, as for a FIFO's other end. Raises
    :class:`OSError`, and of that :class:`NotRegularError`.
    """
    flags = _FLAGS[mode] | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR):
            raise NotRegularError(errno.EINVAL, "not a regular file", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(errno.EINVAL, "not a regular file", str(path))
    return cast(BinaryIO, open(descriptor, "wb" if mode == "xb" else mode, buffering=0 if mode == "xb" else -1))


_FLAGS = {
    "rb": os.O_RDONLY,
    "r+b": os.O_RDWR,
    "ab": os.O_WRONLY | os.O_APPEND | os.O_CREAT,
    "a+b": os.O_RDWR | os.O_APPEND | os.O_CREAT,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}


def read_file(path: Path, limit: int = LIMIT, *, follow: bool = False) -> bytes:
    """The bytes of a regular file. Raises :class:`OSError`; :class:`TooLargeError` for more bytes than ``limit``."""
    with open_file(path, follow=follow) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLargeError(errno.EFBIG, f"larger than {limit} bytes", str(path))
    return data


def find_file(path: Path, limit: int = LIMIT, *, follow: bool = False) -> bytes | None:
    """As :func:`read_file`; ``None`` when nothing is there."""
    try:
        return read_file(path, limit, follow=follow)
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_tail(path: Path, size: int) -> bytes:
    """The last ``size`` bytes of a regular file, or all of a shorter one. Raises :class:`OSError`."""
    with open_file(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - size))
        return file.read(size)


def write_file(path: Path, data: bytes) -> None:
    """Write by temporary file and rename: a reader sees the old bytes or the new ones, never a part.

    What stands at ``path``, a link too, is replaced, never written through. Without fsync, as in git: on a busy disk
    one takes seconds, and a step would make several.
    """
    part = part_file(path)
    try:
        try:
            file = open_file(part, "xb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open_file(part, "xb")
        with file:
            _write_all(file, data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write_all(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def write_output(path: Path, data: bytes) -> None:
    """Write what a person asked for with ``-o``: a file of their own is replaced, anything else is written through.

    So ``-o /dev/null``, a FIFO and a link behave as after ``>`` in a shell.
    """
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        with open(path, "wb") as file:
            file.write(data)
    else:
        write_file(path, data)


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
    with suppress(OSError):
        os.chmod(folder, 0o700)
    for inside, below, _ in os.walk(folder):
        for name in below:
            if not os.path.islink(path := os.path.join(inside, name)):
                os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove whatever is at ``path``, if anything: a file, a link itself, a folder with everything in it."""
    if path.is_dir() and not path.is_symlink():
        remove_folder(path)
    else:
        path.unlink(missing_ok=True)


def part_file(path: Path) -> Path:
    """The file beside ``path`` that this process writes, and then renames to ``path``."""
    return path.with_name(f".gitexp.{os.getpid()}.{os.urandom(8).hex()}.part")


def remove_part_files(folders: Iterable[Path]) -> None:
    """Remove the part files in ``folders``, which processes left that died while they wrote."""
    for part in [part for folder in set(folders) for part in folder.glob(".gitexp.*.part")]:
        pid = part.name.split(".")[2]
        if pid == str(os.getpid()) or not is_alive(f"process {pid}"):
            part.unlink(missing_ok=True)


def umask() -> int:
    """The permissions that new files are not given; this process keeps them as they are."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
