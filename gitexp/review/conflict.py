"""Why an iteration does not apply to a branch: it needs a KEEP that was left out, or the branch differs there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from gitexp.git.driver import PLAIN_DIFF, PLAIN_LOG, GitCommandError
from gitexp.git.objects import entries
from gitexp.git.repository import Repository
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Status
from gitexp.text import SHORT, from_bytes, one_line

NAMED = 3  # commits that a sentence names at most
_BLAMED = re.compile(r"^([0-9a-f]{40,64}) \d+ \d+", re.MULTILINE)
_HEADER = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hunk:
    """``old_count`` lines from line ``old`` on became ``new_count`` lines from line ``new`` on; lines count from 0."""

    old: int
    old_count: int
    new: int
    new_count: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What of some lines goes back to one earlier edit; both are empty for a file without lines."""

    edit: str
    written: tuple[int, ...] = ()
    beside: tuple[int, ...] = ()  # lines on both sides of a place where the edit removed lines


def unmerged(work: Repository) -> list[str]:
    """The paths with conflicts."""
    records = os.fsdecode(work.run("ls-files", "--unmerged", "-z")).split("\0")
    return list(dict.fromkeys(record.partition("\t")[2] for record in records if record))


def explain(
    work: Repository, ledger: Ledger, clashing: Iteration, left_out: list[Iteration], onto: str
) -> tuple[str, tuple[Iteration, ...]]:
    """Why ``clashing`` conflicts with the work tree of ``work``, without a full stop, and what it needs.

    It needs those of ``left_out`` that wrote the lines it changes; none where the branch ``onto`` itself has other
    lines there.
    """
    changed = _changed_paths(work, clashing)
    paths = [path for path in unmerged(work) if path in changed] or changed
    edits = {path: _hunks(work, clashing.base, clashing.commit, path) for path in paths}
    at = ledger.iterations.index(clashing)
    earlier = [i for i in reversed(ledger.iterations[:at]) if i.status is Status.KEEP and not i.contract]
    missing = {i.id: i for i in earlier if i in left_out}
    needs = [
        (path, trace)
        for path, edit in edits.items()
        for trace in _traces(work, path, edit, earlier)
        if trace.edit in missing
    ]
    if needs:
        places = " and ".join(_place(path, edits[path], trace) for path, trace in needs)
    else:
        places = " and ".join(_obstacle(work, path, edit, clashing, onto) for path, edit in edits.items())
    return f"{clashing.id} changes {places}", tuple(missing[trace.edit] for _, trace in needs)


def _place(path: str, edit: list[Hunk], trace: Trace) -> str:
    """Which lines an edit changes that stand on those of another iteration."""
    if same := set(trace.written) & _old_lines(edit):
        return f"{path} {line_numbers(same)}, which {trace.edit} wrote"
    if trace.written:
        return f"{path} beside {line_numbers(trace.written)}, which {trace.edit} wrote"
    if trace.beside:
        return f"{path} at {line_numbers(trace.beside)}, where {trace.edit} removed lines"
    return f"{path}, which {trace.edit} changed"


def _obstacle(work: Repository, path: str, edit: list[Hunk], clashing: Iteration, onto: str) -> str:
    """Which lines of the branch ``onto`` stand in the way of an edit."""
    if path not in entries(work, "HEAD", [path]):
        return f"{path}, which is not on {onto}"
    theirs = _hunks(work, clashing.base, "HEAD", path)
    pairs = [(mine, other) for mine in edit for other in theirs if _touch(mine, other)]
    if not pairs:
        return f"{path}, which is another file on {onto}"
    lines = line_numbers(_old_lines(mine for mine, _ in pairs) or {pairs[0][0].old})
    authors = ", ".join(_authors(work, path, [other for _, other in pairs]))
    return f"{path} {lines}, and {onto} has something else there" + (f" ({authors})" if authors else "")


def _authors(work: Repository, path: str, hunks: list[Hunk]) -> list[str]:
    """The commits, with their subjects, that wrote the new lines of some hunks of HEAD."""
    ranges = [f"-L{hunk.new + 1},+{hunk.new_count}" for hunk in dict.fromkeys(hunks) if hunk.new_count]
    if not ranges:
        return []
    try:
        blame = from_bytes(work.run("blame", "--porcelain", *ranges, "HEAD", "--", path))
    except GitCommandError:  # it fails where a blame.ignoreRevsFile is missing: then the sentence names no commit
        return []
    commits = list(dict.fromkeys(_BLAMED.findall(blame)))[:NAMED]
    form = ("--no-walk", *PLAIN_LOG, f"--abbrev={SHORT}", "--format=%h %s")
    return [one_line(line, 80) for line in work.line("log", *form, *commits).splitlines()]


# -- hunks -------------------------------------------------------------------------------------------------------------


def _hunks(repo: Repository, before: str, after: str, path: str) -> list[Hunk]:
    """The changes of a file between two commits or trees; none for what has no lines (binary files, modes)."""
    diff = repo.run("diff-tree", "-p", "-U0", *PLAIN_DIFF, before, after, "--", path)
    return [_hunk(*header.groups()) for header in _HEADER.finditer(diff)]


def _hunk(old: bytes, old_count: bytes | None, new: bytes, new_count: bytes | None) -> Hunk:
    removed, added = int(old_count or 1), int(new_count or 1)
    # git names the first line, counted from 1; of a side without lines, the line before the place
    return Hunk(int(old) - bool(removed), removed, int(new) - bool(added), added)


def _changed_paths(repo: Repository, iteration: Iteration) -> list[str]:
    """The paths that an iteration changes."""
    names = repo.run("diff-tree", "-r", "-z", *PLAIN_DIFF, "--name-only", iteration.base, iteration.commit)
    return [path for path in os.fsdecode(names).split("\0") if path]


def _old_lines(edit: Iterable[Hunk]) -> set[int]:
    """The lines that an edit replaces or removes."""
    return {line for hunk in edit for line in range(hunk.old, hunk.old + hunk.old_count)}


def _touch(one: Hunk, other: Hunk) -> bool:
    """Whether two hunks of the same old file clash: git merges them only if an unchanged line stands between them."""
    return one.old <= other.old + other.old_count and other.old <= one.old + one.old_count


def _traces(work: Repository, path: str, edit: list[Hunk], earlier: list[Iteration]) -> list[Trace]:
    """The earlier iterations that wrote the lines of an edit, or their neighbours; of a file without lines, changed it.

    Neighbours count because git takes changes of neighbouring lines for a conflict.
    """
    if not edit:
        return [Trace(i.id) for i in earlier if path in _changed_paths(work, i)]
    lines = {line for hunk in edit for line in range(hunk.old - 1, hunk.old + hunk.old_count + 1)}
    return traces(work, path, lines, [(i.id, i.base, i.commit) for i in earlier])


def traces(repo: Repository, path: str, lines: set[int], edits: Iterable[tuple[str, str, str]]) -> list[Trace]:
    """Which edits of a file wrote which of its ``lines`` (counted from 0), as ``git blame`` would say.

    ``edits`` lead to the file as it is: (name, commit before, commit after), newest first.
    """
    wanted = {line: line for line in lines}  # by its number in the version at hand, the number that the caller gave
    written_by: list[Trace] = []
    for name, before, after in edits:
        edit = _hunks(repo, before, after, path)
        new = (range(hunk.new, hunk.new + hunk.new_count) for hunk in edit)
        written = sorted(wanted[line] for added in new for line in added if line in wanted)
        gaps = [hunk.new for hunk in edit if not hunk.new_count and {hunk.new - 1, hunk.new} <= wanted.keys()]
        beside = sorted(wanted[line] for gap in gaps for line in (gap - 1, gap))
        if written or beside:
            written_by.append(Trace(name, tuple(written), tuple(beside)))
        wanted = _before(wanted, edit)
    return written_by


def _before(wanted: Mapping[int, int], edit: list[Hunk]) -> dict[int, int]:
    """The same lines by their numbers before an edit, without those that the edit wrote."""
    earlier: dict[int, int] = {}
    for line, original in wanted.items():
        if not any(hunk.new <= line < hunk.new + hunk.new_count for hunk in edit):
            shift = sum(hunk.old_count - hunk.new_count for hunk in edit if hunk.new + hunk.new_count <= line)
            earlier[line + shift] = original
    return earlier


def line_numbers(lines: Iterable[int]) -> str:
    """Lines, counted from 0, as people name them, counted from 1: ``line 3``, or ``lines 3, 12-14``."""
    numbers = sorted({max(line, 0) + 1 for line in lines})
    runs = [list(run) for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    parts = [f"{run[0][1]}-{run[-1][1]}" if len(run) > 1 else str(run[0][1]) for run in runs]
    return ("line " if len(numbers) == 1 else "lines ") + ", ".join(parts)
