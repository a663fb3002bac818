"""Why an iteration does not apply to a branch: it needs a KEEP that was left out, or the branch went its own way."""

from __future__ import annotations

import os
import re

from gitexp.git.driver import PLAIN_LOG, GitCommandError
from gitexp.git.objects import entries
from gitexp.git.repository import Repository
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Status
from gitexp.review import hunks
from gitexp.review.hunks import Hunk, Trace
from gitexp.text import SHORT, from_bytes, one_line

MOST = 3  # commits that are named
_BLAMED = re.compile(r"^([0-9a-f]{40,64}) \d+ \d+", re.MULTILINE)


def unmerged(work: Repository) -> list[str]:
    """The paths with conflicts."""
    records = os.fsdecode(work.run("ls-files", "--unmerged", "-z")).split("\0")
    return list(dict.fromkeys(record.partition("\t")[2] for record in records if record))


def explain(
    work: Repository, ledger: Ledger, clashing: Iteration, left_out: list[Iteration], onto: str
) -> tuple[str, tuple[Iteration, ...]]:
    """Why ``clashing`` conflicts with what is in the work tree, and which of ``left_out`` wrote the lines it changes.

    There are none of these when ``onto`` itself has something else there.
    """
    changed = hunks.changed_paths(work, clashing.base, clashing.commit)
    paths = [path for path in unmerged(work) if path in changed] or changed
    at = ledger.iterations.index(clashing)
    earlier = [i for i in reversed(ledger.iterations[:at]) if i.status is Status.KEEP and not i.contract]
    missing = {i.id: i for i in earlier if i in left_out}
    edits = {path: hunks.hunks(work, clashing.base, clashing.commit, path) for path in paths}
    needs = [
        (path, trace)
        for path, edit in edits.items()
        for trace in _traces(work, path, edit, earlier)
        if trace.edit in missing
    ]
    if needs:
        said = " and ".join(_stands_on(path, edits[path], trace) for path, trace in needs)
        return f"{clashing.id} changes {said}", tuple(missing[trace.edit] for _, trace in needs)
    said = " and ".join(_in_the_way(work, path, edit, clashing, onto) for path, edit in edits.items())
    return f"{clashing.id} changes {said}", ()


def _traces(work: Repository, path: str, edit: list[Hunk], earlier: list[Iteration]) -> list[Trace]:
    """Who wrote what an edit changes; of a file without lines, who changed it."""
    if edit:
        return hunks.traces(work, path, hunks.reach(edit), [(i.id, i.base, i.commit) for i in earlier])
    return [Trace(i.id, (), ()) for i in earlier if path in hunks.changed_paths(work, i.base, i.commit)]


def _stands_on(path: str, edit: list[Hunk], trace: Trace) -> str:
    if same := set(trace.written) & hunks.old_lines(edit):
        return f"{path} {hunks.text(same)}, which {trace.edit} wrote"
    if trace.written:
        return f"{path} beside {hunks.text(trace.written)}, which {trace.edit} wrote"
    if trace.beside:
        return f"{path} at {hunks.text(trace.beside)}, where {trace.edit} removed lines"
    return f"{path}, which {trace.edit} changed"


def _in_the_way(work: Repository, path: str, edit: list[Hunk], clashing: Iteration, onto: str) -> str:
    """What a branch has in the place of an edit."""
    if path not in entries(work, "HEAD", [path]):
        return f"{path}, which is not on {onto}"
    theirs = hunks.hunks(work, clashing.base, "HEAD", path)
    met = [(mine, other) for mine in edit for other in theirs if hunks.meet(mine, other)]
    if not met:
        return f"{path}, which is another on {onto}"
    lines = hunks.text(hunks.old_lines(mine for mine, _ in met) or {met[0][0].old})
    by = ", ".join(_authors(work, path, [other for _, other in met]))
    return f"{path} {lines}, and {onto} has something else there" + (f" ({by})" if by else "")


def _authors(work: Repository, path: str, theirs: list[Hunk]) -> list[str]:
    """The commits that wrote the new lines of some hunks."""
    ranges = [f"-L{hunk.new + 1},+{hunk.new_count}" for hunk in dict.fromkeys(theirs) if hunk.new_count]
    if not ranges:
        return []
    try:
        blame = from_bytes(work.run("blame", "--porcelain", *ranges, "HEAD", "--", path))
    except GitCommandError:  # a blame.ignoreRevsFile that is not there fails it: the sentence does without
        return []
    commits = list(dict.fromkeys(_BLAMED.findall(blame)))[:MOST]
    form = ("--no-walk", *PLAIN_LOG, f"--abbrev={SHORT}", "--format=%h %s")
    return [one_line(line, 80) for line in work.line("log", *form, *commits).splitlines()]
