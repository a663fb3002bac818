"""Commits taken apart for an audit, and the lineages of a history that belong together.

An experiment's lineage goes from its baseline to its last commit. A review's holds KEEPs that were cherry-picked from
an experiment, which one can tell by the base that their trailers name. A rebased one holds copies of all there was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from gitexp.git.commits import Commit, first_parents, rev_list
from gitexp.git.provenance import picked_commits, reverted_commits
from gitexp.git.repository import Repository
from gitexp.ledger import messages, trailer_block
from gitexp.ledger.trailer_block import Message
from gitexp.model import Contract, Iteration, Remark, Status
from gitexp.text import one_line, short

_CLAIM = re.compile(r"exp([0-9]{3,9}) (KEEP|DISCARD|CRASH)(?: [^:\s]+)?: ")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A commit, and what its message records, if anything."""

    commit: Commit
    message: Message
    iteration: Iteration | None
    remark: Remark | None

    @classmethod
    def of(cls, commit: Commit) -> Sealed:
        message = trailer_block.read(commit.message)
        iteration = messages.from_message(message, commit.oid)
        return cls(commit, message, iteration, messages.remark_from(message, commit.oid))

    @property
    def oid(self) -> str:
        return self.commit.oid

    @property
    def name(self) -> str:
        return f"{short(self.oid)} {one_line(self.message.subject, 60)}"

    @property
    def parent(self) -> str:
        return self.commit.parents[0] if self.commit.parents else ""

    @property
    def is_baseline(self) -> bool:
        return self.iteration is not None and self.iteration.contract is not None

    @property
    def base(self) -> str:
        """The commit that it says it was sealed on; empty for one that no step made."""
        sealed = self.iteration or self.remark
        return sealed.base if sealed else ""

    @property
    def is_summary(self) -> bool:
        """Whether it sums an experiment up, at the end of a review."""
        return self.message.first("Exp-Summary") is not None

    @property
    def is_own(self) -> bool:
        """Whether it stands where it was sealed."""
        return self.base != "" and self.base == self.parent

    @property
    def is_copy(self) -> bool:
        return self.iteration is not None and (not self.is_own or self.picked != "")

    @property
    def picked(self) -> str:
        """The commit that ``git cherry-pick -x`` says it was picked from; empty when it says none."""
        return next(iter(picked_commits(self.commit.message.rstrip().rpartition(b"\n\n")[2])), "")

    @property
    def reverts(self) -> str:
        """The commit that it says it reverts, in ``git revert``'s words; empty when it says none."""
        return "" if self.iteration else next(iter(reverted_commits(self.commit.message)), "")

    @property
    def claim(self) -> tuple[int, str] | None:
        """The number and the verdict that it has by its trailers, or else by its subject."""
        if self.iteration:
            return self.iteration.number, self.iteration.status.value
        found = _CLAIM.match(self.message.subject)
        return (int(found[1]), found[2]) if found else None

    @property
    def is_undone(self) -> bool:
        """Whether a revert has to follow."""
        return self.claim is not None and self.claim[1] != Status.KEEP.value


class Kind(Enum):
    EXPERIMENT = "experiment"
    REVIEW = "review"
    REBASED = "rebased"


@dataclass(frozen=True, slots=True)
class Lineage:
    kind: Kind
    commits: tuple[Sealed, ...]  # oldest first, each the first parent of the next

    @property
    def iterations(self) -> list[Iteration]:
        return [sealed.iteration for sealed in self.commits if sealed.iteration]

    @property
    def contract(self) -> Contract | None:
        return next((iteration.contract for iteration in self.iterations if iteration.contract), None)

    @property
    def format(self) -> int | None:
        """The format of its trailers; ``None`` where it holds no baseline, which names it."""
        baseline = next((sealed for sealed in self.commits if sealed.is_baseline), None)
        return messages.format_of(baseline.message) if baseline else None


def of_experiment(repo: Repository, tip: str) -> Lineage | None:
    """The lineage that ends at ``tip``, down to the nearest baseline that stands where it was sealed, or else to the
    nearest copy of one; ``None`` when there is neither."""
    walked: list[Sealed] = []
    copied = 0
    for commit in first_parents(repo, tip):
        walked.append(sealed := Sealed.of(commit))
        if sealed.is_baseline and sealed.is_own:
            return Lineage(Kind.EXPERIMENT, tuple(walked[::-1]))
        if sealed.is_baseline and not copied:
            copied = len(walked)
    return Lineage(Kind.REBASED, tuple(walked[:copied][::-1])) if copied else None


def of_range(repo: Repository, revisions: Iterable[str], whole: bool) -> Iterator[Lineage]:
    """The lineages with iterations among the commits that ``revisions`` name.

    In a ``whole`` ancestry an experiment, or a review of one, may be long past: there, what follows it is other work.
    """
    commits = [Sealed.of(commit) for commit in rev_list(repo, "--topo-order", *revisions)]
    for line in _lines(commits):
        yield from _lineages(_grounded(repo, line), whole)


def _lines(commits: list[Sealed]) -> Iterator[list[Sealed]]:
    """The commits, which come newest first, as lines of first parents, each oldest first."""
    left = {sealed.oid: sealed for sealed in commits}
    for newest in commits:
        line: list[Sealed] = []
        at = left.pop(newest.oid, None)
        while at:
            line.append(at)
            at = left.pop(at.parent, None)
        if line:
            yield line[::-1]


def _grounded(repo: Repository, line: list[Sealed]) -> list[Sealed]:
    """A line that begins amid an experiment goes down to its baseline, whatever the range."""
    first = next((sealed for sealed in line if sealed.base), None)
    if first is None or not first.is_own or first.is_baseline or not line[0].parent:
        return line
    below = of_experiment(repo, line[0].parent)
    return [*below.commits, *line] if below and below.kind is Kind.EXPERIMENT else line


def _lineages(line: list[Sealed], whole: bool) -> Iterator[Lineage]:
    """A line cut before each baseline, and in a whole ancestry where an experiment is past."""
    for start, end in pairwise([0, *(at for at, sealed in enumerate(line) if sealed.is_baseline and at), len(line)]):
        part = line[start:end]
        if not any(sealed.claim for sealed in part):
            continue
        kind = _kind(part)
        past = _past(part, kind) if whole else len(part)
        yield Lineage(kind, tuple(part[:past]))
        yield from _lineages(part[past:], whole)


def _kind(part: list[Sealed]) -> Kind:
    sealed = [sealed for sealed in part if sealed.iteration]
    if all(one.is_copy or one.is_baseline for one in sealed) and (not sealed or any(one.is_copy for one in sealed)):
        return Kind.REBASED if any(one.is_undone for one in sealed) else Kind.REVIEW
    return Kind.EXPERIMENT if sealed[0].is_own else Kind.REBASED


def _past(part: list[Sealed], kind: Kind) -> int:
    """Where in a part of a line other work begins. A review ends with the commit that sums it up."""
    last = max(at for at, sealed in enumerate(part) if sealed.claim or sealed.remark)
    if kind is Kind.REVIEW:
        return min(last + 2, len(part))
    ours = {sealed.oid for sealed in part[: last + 1]}
    for at, sealed in enumerate(part[last + 1 :], last + 1):
        if sealed.reverts not in ours:
            return at
        ours.add(sealed.oid)
    return len(part)
