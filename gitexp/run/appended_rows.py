"""The rows that a run adds to a table in the form of results.tsv."""

from __future__ import annotations

import os
from pathlib import Path

END = 1024  # bytes at the end of a table by which it is known again: a long one is not read for each run


class AppendedRows:
    """The rows a run leaves: in the scratch table it was given, or appended to the results.tsv it found."""

    def __init__(self, found: Path, scratch: Path) -> None:
        self._found = found
        self._scratch = scratch
        self._size, self._header, self._end = 0, b"", b""
        if found.is_file():
            with found.open("rb") as file:
                self._header = file.readline()
                self._size = os.fstat(file.fileno()).st_size
                file.seek(max(0, self._size - END))
                self._end = file.read(END)

    def written(self) -> bytes:
        """What was written to the scratch table."""
        return self._scratch.read_bytes() if self._scratch.is_file() else b""

    def rows(self) -> bytes:
        """What was written to the scratch table, or else appended to the one that was found, below its first line."""
        if written := self.written():
            return written
        if not self._found.is_file() or self._found.stat().st_size <= self._size:
            return b""
        with self._found.open("rb") as file:
            same = file.readline().startswith(self._header)
            file.seek(self._size - len(self._end))
            same = same and file.read(len(self._end)) == self._end
            return self._header.rstrip(b"\n") + b"\n" + file.read() if same else b""
