"""The rows that a run adds to a table in the form of results.tsv."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from gitexp.files import open_file

END = 1024  # bytes at the end of a table by which it is known again: a long one is not read for each run
MOST = 1 << 20  # bytes of new rows that are read: the last ones, as the last row is the score


class AppendedRows:
    """The rows a run leaves: in the scratch table it was given, or appended to the results.tsv it found."""

    def __init__(self, found: Path, scratch: Path) -> None:
        self._found = found
        self._scratch = scratch
        self._size, self._header, self._end = 0, b"", b""
        with suppress(OSError), open_file(found) as file:
            self._header = file.readline(MOST)
            self._size = os.fstat(file.fileno()).st_size
            file.seek(max(0, self._size - END))
            self._end = file.read(END)

    def written(self) -> bytes:
        """The first line of the scratch table and the rows at its end; empty when there is no such regular file."""
        with suppress(OSError), open_file(self._scratch) as file:
            return file.readline(MOST) + _rest(file)
        return b""

    def rows(self) -> bytes:
        """The rows of the scratch table, or else those appended to the one that was found, below its first line."""
        if written := self.written():
            return written
        with suppress(OSError), open_file(self._found) as file:
            if os.fstat(file.fileno()).st_size <= self._size:
                return b""
            same = file.readline(MOST).startswith(self._header)
            file.seek(self._size - len(self._end))
            same = same and file.read(len(self._end)) == self._end
            return self._header.rstrip(b"\n") + b"\n" + _rest(file) if same else b""
        return b""


def _rest(file: BinaryIO) -> bytes:
    """What comes from here on, in whole lines, at most ``MOST`` bytes at the end of it."""
    here, size = file.tell(), os.fstat(file.fileno()).st_size
    if size - here <= MOST:
        return file.read(MOST)
    file.seek(size - MOST)
    return file.read(MOST).partition(b"\n")[2]
