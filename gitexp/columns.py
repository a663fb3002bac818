"""What commands ask of all iterations at once, in columns: at any length of history small enough to be read whole."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

KEEP = b"K"  # a status is kept as its first letter
KEY = 20  # bytes of a patch's key


class Row(NamedTuple):
    status: bytes  # one letter
    number: int
    noted: bool  # whether it carries a note
    score: float | None
    delta: float | None  # as its trailer says it
    test: float | None
    patch: str


def _floats() -> array[float]:
    return array("d")


def _numbers() -> array[int]:
    return array("I")


@dataclass(frozen=True, slots=True)
class Columns:
    """Oldest first, one entry an iteration; NaN stands for none."""

    statuses: bytes = b""
    noted: bytes = b""
    patches: bytes = b""  # KEY bytes each
    numbers: array[int] = field(default_factory=_numbers)
    scores: array[float] = field(default_factory=_floats)
    deltas: array[float] = field(default_factory=_floats)  # less the incumbent's, as it was weighed
    tests: array[float] = field(default_factory=_floats)

    def plus(self, rows: Iterable[Row]) -> Columns:
        """These, and the rows after them."""
        best = self.scores[self.statuses.rindex(KEEP)] if self.statuses else math.nan
        statuses, noted, patches = bytearray(), bytearray(), bytearray()
        numbers, scores, deltas, tests = _numbers(), _floats(), _floats(), _floats()
        for row in rows:
            score = math.nan if row.score is None else row.score
            statuses += row.status
            noted.append(row.noted)
            patches += key(row.patch)
            numbers.append(row.number)
            scores.append(score)
            deltas.append(score - best if row.delta is None else row.delta)
            tests.append(math.nan if row.test is None else row.test)
            best = score if row.status == KEEP else best
        return Columns(
            self.statuses + statuses,
            self.noted + noted,
            self.patches + patches,
            self.numbers + numbers,
            self.scores + scores,
            self.deltas + deltas,
            self.tests + tests,
        )

    def last(self, status: bytes, limit: int, before: int | None = None) -> list[int]:
        """The places of the last so many with a status, oldest first."""
        return _last(self.statuses, status, limit, before)

    def last_noted(self, limit: int) -> list[int]:
        return _last(self.noted, b"\x01", limit, None)

    def with_patch(self, patch: str) -> list[int]:
        """The places that may have this patch, newest first."""
        wanted, found, end = key(patch), [], len(self.patches)
        while (at := self.patches.rfind(wanted, 0, end)) >= 0:
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


def _last(column: bytes, wanted: bytes, limit: int, before: int | None) -> list[int]:
    found: list[int] = []
    end = len(column) if before is None else before
    while len(found) < limit and (end := column.rfind(wanted, 0, end)) >= 0:
        found.append(end)
    return found[::-1]


def key(patch: str) -> bytes:
    return hashlib.sha1(patch.encode(), usedforsecurity=False).digest() if patch else bytes(KEY)
