"""Which lines of a file an edit touches, and which of the edits before it wrote those lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from gitexp.git.driver import PLAIN_DIFF
from gitexp.git.repository import Repository

_HEADER = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hunk:
    """``old_count`` lines from line ``old`` became ``new_count`` lines from line ``new``; lines count from 0."""

    old: int
    old_count: int
    new: int
    new_count: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What of some lines goes back to one edit."""

    edit: str
    written: tuple[int, ...]
    beside: tuple[int, ...]  # lines that stand where it removed some


def hunks(repo: Repository, before: str, after: str, path: str) -> list[Hunk]:
    """What changes in a file from one commit or tree to another; empty for what has no lines (binary files, modes)."""
    diff = repo.run("diff-tree", "-p", "-U0", *PLAIN_DIFF, before, after, "--", path)
    return [_hunk(*found.groups()) for found in _HEADER.finditer(diff)]


def _hunk(old: bytes, old_count: bytes | None, new: bytes, new_count: bytes | None) -> Hunk:
    removed, added = int(old_count or 1), int(new_count or 1)
    # git names the first line, counted from 1; where there is none, the line before the place
    return Hunk(int(old) - bool(removed), removed, int(new) - bool(added), added)


def changed_paths(repo: Repository, before: str, after: str) -> list[str]:
    names = repo.run("diff-tree", "-r", "-z", *PLAIN_DIFF, "--name-only", before, after)
    return [path for path in os.fsdecode(names).split("\0") if path]


def old_lines(edit: Iterable[Hunk]) -> set[int]:
    """The lines that an edit replaces or removes."""
    return {line for hunk in edit for line in range(hunk.old, hunk.old + hunk.old_count)}


def reach(edit: Iterable[Hunk]) -> set[int]:
    """The lines it replaces and their neighbours: git takes changes of neighbouring lines for a conflict."""
    return {line for hunk in edit for line in range(hunk.old - 1, hunk.old + hunk.old_count + 1)}


def traces(repo: Repository, path: str, lines: set[int], edits: Iterable[tuple[str, str, str]]) -> list[Trace]:
    """Who wrote ``lines`` of a file: ``edits`` are the (name, before, after) that led to it, the newest first."""
    asked = {line: line for line in lines}  # by its number in the version at hand, the line that was asked for
    found: list[Trace] = []
    for name, before, after in edits:
        edit = hunks(repo, before, after, path)
        new = (range(hunk.new, hunk.new + hunk.new_count) for hunk in edit)
        written = sorted(asked[line] for added in new for line in added if line in asked)
        gaps = [hunk.new for hunk in edit if not hunk.new_count and {hunk.new - 1, hunk.new} <= asked.keys()]
        beside = sorted(asked[line] for gap in gaps for line in (gap - 1, gap))
        if written or beside:
            found.append(Trace(name, tuple(written), tuple(beside)))
        asked = _before(asked, edit)
    return found


def _before(asked: Mapping[int, int], edit: list[Hunk]) -> dict[int, int]:
    """The lines by their numbers before an edit, less those that it wrote."""
    left: dict[int, int] = {}
    for line, original in asked.items():
        if not any(hunk.new <= line < hunk.new + hunk.new_count for hunk in edit):
            shift = sum(hunk.old_count - hunk.new_count for hunk in edit if hunk.new + hunk.new_count <= line)
            left[line + shift] = original
    return left


def meet(one: Hunk, other: Hunk) -> bool:
    """Whether two edits of the same lines touch: git merges them only if an unchanged line stands between."""
    return one.old <= other.old + other.old_count and other.old <= one.old + one.old_count


def text(lines: Iterable[int]) -> str:
    """``line 3``, or ``lines 3, 12-14``: as people count them."""
    numbers = sorted({max(line, 0) + 1 for line in lines})
    runs = [list(run) for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    parts = [f"{run[0][1]}-{run[-1][1]}" if len(run) > 1 else str(run[0][1]) for run in runs]
    return ("line " if len(numbers) == 1 else "lines ") + ", ".join(parts)
