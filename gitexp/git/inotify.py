"""Linux's inotify, as far as it is needed here: which names in which folders somebody touched since one last asked.

The kernel queues an event before the system call that caused it returns, so what was done before :meth:`Inotify.read`
is in what that returns. There is no thread and nothing to wait for.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator

# From <sys/inotify.h>: modified, attributes, closed after writing, moved from and to, created, deleted, and the folder
# itself deleted or moved. Overflow, unmounting and the end of a watch are told unasked.
_TOUCHED = 0x002 | 0x004 | 0x008 | 0x040 | 0x080 | 0x100 | 0x200 | 0x400 | 0x800
_ONLY_FOLDERS = 0x01000000 | 0x02000000  # IN_ONLYDIR, IN_DONT_FOLLOW
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_BUFFER = 1 << 16


class Inotify:
    """Some watched folders. Raises ``OSError`` where the system has no inotify, or has no more of it to give."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "no inotify")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._done(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify")

    def watch(self, folder: bytes) -> int:
        """The number under which ``folder`` is watched from here on, however often it is asked for."""
        return self._done(self._libc.inotify_add_watch(self._file, folder, _TOUCHED | _ONLY_FOLDERS), folder)

    def read(self) -> Iterator[tuple[int, str]]:
        """All that was touched until now: the folder's number, and the name in it, empty for the folder itself.

        The number is -1 where there was more than the kernel keeps.
        """
        while chunk := self._chunk():
            at = 0
            while at < len(chunk):
                number, _, _, length = _EVENT.unpack_from(chunk, at)
                at += _EVENT.size + length
                yield number, os.fsdecode(chunk[at - length : at].rstrip(b"\0"))

    def close(self) -> None:
        os.close(self._file)

    def _chunk(self) -> bytes:
        try:
            return os.read(self._file, _BUFFER)
        except BlockingIOError:
            return b""

    @staticmethod
    def _done(result: int, what: str | bytes) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), what)
        return result
