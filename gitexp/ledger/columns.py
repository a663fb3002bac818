"""All iterations as arrays, one for each fact that commands ask of all of them, so that a long history fits in memory.

The columns of results.tsv are in :mod:`gitexp.ledger.row`.

sqlite3 was measured for 100,000 iterations and is slower: 9 to 24 ms to import, 166 ms to read three columns, 1.05 s to
insert them. :mod:`gitexp.ledger.cache` reads all columns in 2 ms.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gitexp.model import Iteration

KEEP = b"K"  # a status stands as its first letter
KEY = 8  # bytes that stand for a patch


class ColumnEntry(NamedTuple):
    """What of an iteration goes into the columns."""

    status: bytes  # its letter
    number: int
    noted: bool  # whether it carries a note
    score: float | None
    delta: float | None  # as it was sealed
    test: float | None
    patch: str

    @classmethod
    def of(cls, iteration: Iteration) -> ColumnEntry:
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
    """One entry for each iteration, oldest first; NaN stands for a number that there is not.

    The columns of a longer ledger share the buffers of a shorter one: they grow in place, and each uses its own length.
    """

    def __init__(self, data: Mapping[str, bytes] | None = None) -> None:
        """Columns of the bytes ``data``, by the names :data:`NAMES`; without them, empty ones."""
        self._buffers = {name: _buffer(name, data[name] if data else b"") for name in NAMES}
        self._count = len(self._buffers["statuses"])

    def __len__(self) -> int:
        return self._count

    def column(self, name: str) -> Buffer:
        """The column of a name in :data:`NAMES`. Of ``patches`` it has ``KEY`` bytes for each iteration."""
        buffer, length = self._buffers[name], self._count * (KEY if name == "patches" else 1)
        return buffer if len(buffer) == length else buffer[:length]

    @property
    def statuses(self) -> bytearray:
        """The letter of each status: ``K``, ``D`` or ``C``."""
        column: bytearray = self.column("statuses")
        return column

    @property
    def numbers(self) -> array[int]:
        """The number in each id: 4 for exp004."""
        column: array[int] = self.column("numbers")
        return column

    @property
    def scores(self) -> array[float]:
        """The contract's metric; NaN where an iteration has no score."""
        column: array[float] = self.column("scores")
        return column

    @property
    def deltas(self) -> array[float]:
        """The score less the incumbent's, as it was sealed; NaN where none was."""
        column: array[float] = self.column("deltas")
        return column

    @property
    def tests(self) -> array[float]:
        """The score on the held-out split that the run itself reported; NaN where it reported none."""
        column: array[float] = self.column("tests")
        return column

    def plus(self, entries: Iterable[ColumnEntry]) -> Columns:
        """These columns, and ``entries`` after them."""
        longer = Columns()
        longer._buffers = buffers = {name: self.column(name) for name in NAMES}
        for entry in entries:
            buffers["statuses"] += entry.status
            buffers["patches"] += key(entry.patch)
            buffers["noted"].append(entry.noted)
            buffers["numbers"].append(entry.number)
            buffers["scores"].append(math.nan if entry.score is None else entry.score)
            buffers["deltas"].append(math.nan if entry.delta is None else entry.delta)
            buffers["tests"].append(math.nan if entry.test is None else entry.test)
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
        """The places of the last so many that carry a note, oldest first."""
        return _last(self.column("noted"), b"\x01", limit, None)

    def with_patch(self, patch: str) -> list[int]:
        """The places that may have this patch, newest first."""
        patches = self.column("patches")
        wanted, places, end = key(patch), [], len(patches)
        while (at := patches.rfind(wanted, 0, end)) >= 0:
            if at % KEY == 0:
                places.append(at // KEY)
            end = at + KEY - 1
        return places

    def best(self) -> list[float]:
        """The incumbent's score after each iteration."""
        running: list[float] = []
        for status, score in zip(self.statuses, self.scores, strict=True):
            running.append(score if status == KEEP[0] else running[-1])
        return running


def _buffer(name: str, data: bytes) -> Buffer:
    return array(_TYPES[name], data) if name in _TYPES else bytearray(data)


def _last(column: Buffer, wanted: bytes, limit: int, before: int | None) -> list[int]:
    places: list[int] = []
    end = len(column) if before is None else before
    while len(places) < limit and (end := column.rfind(wanted, 0, end)) >= 0:
        places.append(end)
    return places[::-1]


def key(patch: str) -> bytes:
    """The bytes that stand for a patch. Two patches may have the same, though hardly ever."""
    return hashlib.sha1(patch.encode(), usedforsecurity=False).digest()[:KEY] if patch else bytes(KEY)
