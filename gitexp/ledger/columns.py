"""What commands ask of all iterations at once, in columns: at any length of history small enough to be read whole."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gitexp.model import Iteration

KEEP = b"K"  # a status is kept as its first letter
KEY = 8  # bytes of a patch's key


class Row(NamedTuple):
    """What of an iteration goes into the columns."""

    status: bytes  # one letter
    number: int
    noted: bool  # whether it carries a note
    score: float | None
    delta: float | None  # as it was sealed
    test: float | None
    patch: str

    @classmethod
    def of(cls, iteration: Iteration) -> Row:
        return cls(
            iteration.status.letter,
            iteration.number,
            bool(iteration.notes.note),
            iteration.score,
            iteration.delta,
            iteration.measurement.test,
            iteration.candidate.patch,
        )


Buffer = Any  # a bytearray, or an array: both grow in place
_TYPES = {"numbers": "I", "scores": "d", "deltas": "d", "tests": "d"}  # of arrays; the others are bytes
NAMES = ("statuses", "noted", "patches", *_TYPES)


class Columns:
    """Oldest first, one entry an iteration; NaN stands for none.

    Those of a longer ledger share these buffers: they grow in place, and each sees its own length of them.
    """

    def __init__(self, data: Mapping[str, bytes] | None = None) -> None:
        """``data`` are the bytes of each column; without them they are empty."""
        self._buffers = {name: _buffer(name, data[name] if data else b"") for name in NAMES}
        self._count = len(self._buffers["statuses"])

    def __len__(self) -> int:
        return self._count

    def column(self, name: str) -> Buffer:
        buffer, length = self._buffers[name], self._count * (KEY if name == "patches" else 1)
        return buffer if len(buffer) == length else buffer[:length]

    @property
    def statuses(self) -> bytearray:
        found: bytearray = self.column("statuses")
        return found

    @property
    def numbers(self) -> array[int]:
        found: array[int] = self.column("numbers")
        return found

    @property
    def scores(self) -> array[float]:
        found: array[float] = self.column("scores")
        return found

    @property
    def deltas(self) -> array[float]:
        """The score less the incumbent's, as it was sealed."""
        found: array[float] = self.column("deltas")
        return found

    @property
    def tests(self) -> array[float]:
        found: array[float] = self.column("tests")
        return found

    def plus(self, rows: Iterable[Row]) -> Columns:
        """These, and the rows after them."""
        longer = Columns()
        longer._buffers = buffers = {name: self.column(name) for name in NAMES}
        for row in rows:
            buffers["statuses"] += row.status
            buffers["patches"] += key(row.patch)
            buffers["noted"].append(row.noted)
            buffers["numbers"].append(row.number)
            buffers["scores"].append(math.nan if row.score is None else row.score)
            buffers["deltas"].append(math.nan if row.delta is None else row.delta)
            buffers["tests"].append(math.nan if row.test is None else row.test)
        longer._count = len(buffers["statuses"])
        return longer

    def before(self, place: int) -> Columns:
        """The entries that come before a place (from 0)."""
        shorter = Columns()
        shorter._buffers, shorter._count = self._buffers, min(place, self._count)
        return shorter

    def last(self, status: bytes, limit: int, before: int | None = None) -> list[int]:
        """The places of the last so many with a status, oldest first."""
        return _last(self.statuses, status, limit, before)

    def last_noted(self, limit: int) -> list[int]:
        return _last(self.column("noted"), b"\x01", limit, None)

    def with_patch(self, patch: str) -> list[int]:
        """The places that may have this patch, newest first."""
        patches = self.column("patches")
        wanted, found, end = key(patch), [], len(patches)
        while (at := patches.rfind(wanted, 0, end)) >= 0:
            if at % KEY == 0:
                found.append(at // KEY)
            end = at + KEY - 1
        return found

    def best(self) -> list[float]:
        """The incumbent's score after each iteration."""
        running: list[float] = []
        for status, score in zip(self.statuses, self.scores, strict=True):
            running.append(score if status == KEEP[0] else running[-1])
        return running


def _buffer(name: str, data: bytes) -> Buffer:
    return array(_TYPES[name], data) if name in _TYPES else bytearray(data)


def _last(column: Buffer, wanted: bytes, limit: int, before: int | None) -> list[int]:
    found: list[int] = []
    end = len(column) if before is None else before
    while len(found) < limit and (end := column.rfind(wanted, 0, end)) >= 0:
        found.append(end)
    return found[::-1]


def key(patch: str) -> bytes:
    """Two patches may have one key, though hardly ever."""
    return hashlib.sha1(patch.encode(), usedforsecurity=False).digest()[:KEY] if patch else bytes(KEY)
