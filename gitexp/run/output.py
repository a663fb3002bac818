"""What a run prints: taken apart into lines, and kept in a log of bounded size."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Callable
from pathlib import Path

from gitexp.files import open_file

LOG_HEAD = 8 << 20  # bytes of output kept from the start …
LOG_TAIL = 1 << 20  # … and from the end
LINE_LIMIT = 10_000  # characters; a longer line is cut


class Lines:
    """Bytes to lines: a carriage return ends one too (progress bars), and long ones are cut."""

    def __init__(self, *takers: Callable[[str], object]) -> None:
        self._takers = takers
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, chunk: bytes) -> None:
        text = self._rest + self._decoder.decode(chunk)
        *lines, rest = text.replace("\r", "\n").split("\n")
        self._rest = rest[:LINE_LIMIT]
        for line in lines:
            if line:
                self._take(line[:LINE_LIMIT])

    def end(self) -> None:
        rest = self._rest + self._decoder.decode(b"", final=True)
        if rest:
            self._take(rest)

    def _take(self, line: str) -> None:
        for taker in self._takers:
            taker(line)


class CappedLog:
    """A log file that keeps the head and the tail of what is written, and says how much is missing between."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._room = LOG_HEAD
        self._tail = bytearray()
        self._dropped = 0

    def __enter__(self) -> CappedLog:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._file = open_file(self._path, "xb")
        return self

    def write(self, chunk: bytes) -> None:
        head, rest = chunk[: self._room], chunk[self._room :]
        self._put(head)
        self._room -= len(head)
        self._tail += rest
        if len(self._tail) > 2 * LOG_TAIL:
            self._dropped += len(self._tail) - LOG_TAIL
            del self._tail[:-LOG_TAIL]

    def __exit__(self, *_: object) -> None:
        if self._dropped:
            self._put(b"\n[... %d bytes left out ...]\n" % self._dropped)
        self._put(bytes(self._tail))
        with contextlib.suppress(OSError):
            self._file.close()

    def _put(self, data: bytes) -> None:
        """A disk that is full costs the log its end, not the run its result."""
        with contextlib.suppress(OSError):
            self._file.write(data)
