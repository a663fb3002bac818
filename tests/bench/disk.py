"""What steps leave on disk, and the longest of them: packing as it goes must keep nobody waiting."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from statistics import median

from .histories import git
from .loops import times
from .repositories import repository


@cache
def _taken(steps: int) -> list[float]:
    return times(_place(), steps)


def _place() -> Path:
    return repository(1, purpose="disk")


def longest(steps: int) -> float:
    """Milliseconds of the longest of so many real steps in one process, the first one with its empty caches too."""
    return max(_taken(steps))


def described(steps: int) -> str:
    counted = dict(line.split(": ") for line in git(_place(), "count-objects", "-v").splitlines())
    size = sum(512 * file.stat().st_blocks for file in (_place() / ".git").rglob("*"))
    return (
        f"After {steps:,} steps of {median(_taken(steps)):.1f} ms (median): {int(counted['count']):,} loose objects, "
        f"{counted['packs']} packs, {size / 1e6:.1f} MB of disk in .git."
    )
