"""An experiment's branch and its results.tsv, as plain git reads them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.soak.sandbox import git

_KEYS = "Id Run Base Tree Status Score Test Memory-MB Remark".split()
_FORMAT = "%H%x1f%P%x1f%T%x1f%s" + "".join(f"%x1f%(trailers:key=Exp-{key},valueonly,separator=%x20)" for key in _KEYS)


@dataclass(frozen=True)
class Commit:
    """A commit of the branch; what it has no trailer for is empty."""

    oid: str
    parent: str
    tree: str
    subject: str
    id: str
    run: str
    base: str
    sealed_tree: str
    status: str
    score: str
    test: str
    memory: str
    remark: str


def read(folder: Path, ref: str) -> list[Commit]:
    """The commits of ``ref`` since its baseline, oldest first."""
    records = (
        git(folder, "log", "-z", "--reverse", "--first-parent", f"--format={_FORMAT}", ref).strip("\0").split("\0")
    )
    commits = [Commit(*record.split("\x1f")) for record in records]
    starts = [at for at, commit in enumerate(commits) if commit.id == "exp000"]
    assert starts, "there is no baseline"
    return commits[starts[-1] :]


def check(folder: Path, ref: str, single: bool) -> None:
    """Iterations count up, each verdict but KEEP is reverted at once, and the tip's tree is the incumbent's."""
    commits = read(folder, ref)
    iterations = [commit for commit in commits if commit.id]
    assert [commit.id for commit in iterations] == [f"exp{n:03d}" for n in range(len(iterations))], "the ids"
    assert len({commit.run for commit in iterations}) == len(iterations), "a run is recorded twice"
    incumbent, reverted = commits[0], Commit(*[""] * 13)
    for before, commit in pairwise(commits):
        assert commit.parent == before.oid, f"{commit.subject} has another parent"
        if before.status in ("DISCARD", "CRASH"):
            reverted = before
            assert commit.subject == f'Revert "{before.subject}"', f"{before.id} is not followed by its revert"
            assert commit.tree == incumbent.tree, f"the revert of {before.id} is not the incumbent's tree"
        elif commit.id:
            _check_iteration(commit, before, incumbent, single)
            incumbent = commit if commit.status == "KEEP" else incumbent
        else:
            assert commit.remark, f"{commit.oid} is none of gitexp's"
            assert commit.tree == before.tree, f"the remark {commit.subject} changes files"
    assert commits[-1].tree == incumbent.tree, f"{commits[-1].subject} ends the branch, after {reverted.id}"


def _check_iteration(commit: Commit, before: Commit, incumbent: Commit, single: bool) -> None:
    assert commit.base == before.oid, f"{commit.id} was measured as an edit of another commit"
    assert commit.sealed_tree == commit.tree, f"{commit.id} holds another tree than was measured"
    assert (commit.status == "CRASH") == (not commit.score), f"{commit.id}: {commit.status} with {commit.score!r}"
    if single and commit.score:
        better = float(commit.score) < float(incumbent.score)
        assert better == (commit.status == "KEEP"), f"{commit.id}: {commit.status} of {commit.score}"


def check_scores(folder: Path, ref: str, script: str) -> None:
    """Each score is that of the file ``script`` in its own commit: what was sealed is what ran."""
    scored = [commit for commit in read(folder, ref) if commit.score]
    asked = "".join(f"{commit.oid}:{script}\n" for commit in scored)
    texts = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=folder, input=asked.encode(), check=True, capture_output=True
    ).stdout
    said = re.findall(rb"^SCORE = (\d+)$", texts, re.MULTILINE)
    assert len(said) == len(scored), f"{len(said)} scores for {len(scored)} iterations"
    for commit, score in zip(scored, said, strict=True):
        assert int(float(commit.score)) == int(score), f"{commit.id} scored {commit.score}, and holds {score!r}"


def table(folder: Path, ref: str) -> list[tuple[str, ...]]:
    """The cells of results.tsv that trailers and subjects decide: id, score, test score, memory, status and text."""
    commits = read(folder, ref)
    looks = {c.remark.split()[1]: _number(c.test) for c in reversed(commits) if c.remark.startswith("test ")}
    return [
        (
            commit.id,
            _number(commit.score),
            _number(commit.test) or looks.get(commit.id, ""),
            commit.memory,
            commit.status,
            re.sub(r"^\S+ \S+( \S+)?: ", "", commit.subject),
        )
        for commit in commits
        if commit.id
    ]


def rows(text: str) -> list[tuple[str, ...]]:
    """The same cells of a results.tsv."""
    split = (line.split("\t") for line in text.splitlines()[1:])
    return [(row[0], _number(row[2]), _number(row[3]), row[4], row[5], row[6]) for row in split]


def _number(text: str) -> str:
    return f"{float(text):.6g}" if text else ""
