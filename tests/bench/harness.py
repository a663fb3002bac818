"""A row of the bench: what is measured, beside a baseline that is measured in the same minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    what: str
    against: str
    aim: float | None  # the ratio to reach
    run: Callable[[], float]
    baseline: Callable[[], float]
    unit: str = "ms"
    once: bool = False  # it takes minutes, and its figure is no matter of a moment's noise
    note: Callable[[], str] | None = None  # what else there is to say once it is measured


@dataclass(frozen=True, slots=True)
class Result:
    row: Row
    measured: float
    baseline: float
    ratio: float
    low: float
    high: float
    note: str


def measure(row: Row, rounds: int) -> Result:
    """Alternating, so that a busy moment meets both sides; the median of the rounds' ratios, and their spread.

    The first time, which fills caches and makes what is measured, does not count.
    """
    if not row.once:
        row.run(), row.baseline()
    pairs = [(row.run(), row.baseline()) for _ in range(1 if row.once else rounds)]
    ratios = sorted(a / b for a, b in pairs)
    note = row.note() if row.note else ""
    sides = median(a for a, _ in pairs), median(b for _, b in pairs)
    return Result(row, *sides, median(ratios), ratios[0], ratios[-1], note)
