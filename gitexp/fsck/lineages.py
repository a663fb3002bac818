"""The lineages of a history: lines of commits that belong to one experiment.

An experiment's lineage goes from its baseline to its last commit. A review's lineage holds KEEPs that were picked from
an experiment: the base that their trailers name is not their parent. A rebased lineage holds copies of all commits.
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
class ParsedCommit:
    """A commit, and the iteration or the remark that its message records, if any."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    text: bytes  # its message as git has it
    message: Message
    iteration: Iteration | None
    remark: Remark | None

    @classmethod
    def of(cls, commit: Commit) -> ParsedCommit:
        """Parse a commit's message; a message that cannot be read records nothing."""
        message = trailer_block.read(commit.message)
        iteration = messages.from_message(message, commit.oid)
        remark = None if iteration else messages.remark_from(message, commit.oid)
        return cls(commit.oid, commit.tree, commit.parents, commit.message, message, iteration, remark)

    @property
    def parent(self) -> str:
        """The first parent; empty for a root."""
        return self.parents[0] if self.parents else ""

    @property
    def name(self) -> str:
        """How sentences call it: its short id and its subject."""
        return f"{short(self.oid)} {one_line(self.message.subject, 60)}"

    @property
    def is_baseline(self) -> bool:
        """Whether it records an iteration with a contract."""
        return self.iteration is not None and self.iteration.contract is not None

    @property
    def base(self) -> str:
        """The commit that its trailers say it was sealed on; empty for a commit that gitexp did not seal."""
        record = self.iteration or self.remark
        return record.base if record else ""

    @property
    def is_summary(self) -> bool:
        """Whether it sums an experiment up, at the end of a review."""
        return self.message.first("Exp-Summary") is not None

    @property
    def is_own(self) -> bool:
        """Whether it stands on the commit that it was sealed on."""
        return self.base != "" and self.base == self.parent

    @property
    def is_copy(self) -> bool:
        """Whether its iteration was sealed elsewhere and copied to this place."""
        return self.iteration is not None and (not self.is_own or self.picked != "")

    @property
    def picked(self) -> str:
        """The commit that ``git cherry-pick -x`` says it was picked from; empty for none."""
        return next(iter(picked_commits(self.text.rstrip().rpartition(b"\n\n")[2])), "")

    @property
    def reverts(self) -> str:
        """The commit that it says it reverts, in the words of ``git revert``; empty for none."""
        return "" if self.iteration else next(iter(reverted_commits(self.text)), "")

    @property
    def claim(self) -> tuple[int, str] | None:
        """The iteration's number and verdict by its trailers, or else by its subject; ``None`` without either."""
        if self.iteration:
            return self.iteration.number, self.iteration.status.value
        subject = _CLAIM.match(self.message.subject)
        return (int(subject[1]), subject[2]) if subject else None

    @property
    def needs_revert(self) -> bool:
        """Whether a revert has to follow: its verdict is not KEEP."""
        return self.claim is not None and self.claim[1] != Status.KEEP.value


class Kind(Enum):
    """What a lineage is; the module's docstring describes each."""

    EXPERIMENT = "experiment"
    REVIEW = "review"
    REBASED = "rebased"


@dataclass(frozen=True, slots=True)
class Lineage:
    """Commits that belong to one experiment, oldest first; each is the first parent of the next."""

    kind: Kind
    commits: tuple[ParsedCommit, ...]

    @property
    def iterations(self) -> list[Iteration]:
        """The iterations that the commits record, oldest first."""
        return [commit.iteration for commit in self.commits if commit.iteration]

    @property
    def contract(self) -> Contract | None:
        """The first contract that it holds."""
        return next((iteration.contract for iteration in self.iterations if iteration.contract), None)

    @property
    def format(self) -> int | None:
        """The format of its trailers, which the baseline names; ``None`` without a baseline."""
        baseline = next((commit for commit in self.commits if commit.is_baseline), None)
        return messages.format_of(baseline.message) if baseline else None


def of_experiment(repo: Repository, tip: str) -> Lineage | None:
    """The lineage that ends at ``tip``; ``None`` where no baseline is below it.

    It begins at the nearest baseline that stands where it was sealed, or else at the nearest copy of a baseline.
    """
    walked: list[ParsedCommit] = []
    copied = 0
    for raw in first_parents(repo, tip):
        walked.append(commit := ParsedCommit.of(raw))
        if commit.is_baseline and commit.is_own:
            return Lineage(Kind.EXPERIMENT, tuple(walked[::-1]))
        if commit.is_baseline and not copied:
            copied = len(walked)
    return Lineage(Kind.REBASED, tuple(walked[:copied][::-1])) if copied else None


def of_range(repo: Repository, revisions: Iterable[str], whole: bool) -> Iterator[Lineage]:
    """The lineages with iterations among the commits that ``revisions`` name, in the words of ``git rev-list``.

    In a ``whole`` ancestry a lineage ends with its experiment or review: the commits after that are other work.
    """
    commits = [ParsedCommit.of(raw) for raw in rev_list(repo, "--topo-order", *revisions)]
    for line in _lines(commits):
        yield from _lineages(_grounded(repo, line), whole)


def _lines(commits: list[ParsedCommit]) -> Iterator[list[ParsedCommit]]:
    """The commits, newest first, as lines of first parents, each oldest first."""
    unplaced = {commit.oid: commit for commit in commits}
    for newest in commits:
        line: list[ParsedCommit] = []
        commit = unplaced.pop(newest.oid, None)
        while commit:
            line.append(commit)
            commit = unplaced.pop(commit.parent, None)
        if line:
            yield line[::-1]


def _grounded(repo: Repository, line: list[ParsedCommit]) -> list[ParsedCommit]:
    """The line; where it begins inside an experiment, with the commits below it down to the baseline."""
    first = next((commit for commit in line if commit.base), None)
    if first is None or not first.is_own or first.is_baseline or not line[0].parent:
        return line
    below = of_experiment(repo, line[0].parent)
    return [*below.commits, *line] if below and below.kind is Kind.EXPERIMENT else line


def _lineages(line: list[ParsedCommit], whole: bool) -> Iterator[Lineage]:
    """A line cut before each baseline and, in a whole ancestry, after the end of each experiment."""
    baselines = [at for at, commit in enumerate(line) if commit.is_baseline and at]
    for start, end in pairwise([0, *baselines, len(line)]):
        part = line[start:end]
        if not any(commit.claim for commit in part):
            continue
        kind = _kind(part)
        length = _length(part, kind) if whole else len(part)
        yield Lineage(kind, tuple(part[:length]))
        yield from _lineages(part[length:], whole)


def _kind(part: list[ParsedCommit]) -> Kind:
    iterations = [commit for commit in part if commit.iteration]
    copies = [commit for commit in iterations if commit.is_copy]
    if all(commit.is_copy or commit.is_baseline for commit in iterations) and (not iterations or copies):
        return Kind.REBASED if any(commit.needs_revert for commit in iterations) else Kind.REVIEW
    return Kind.EXPERIMENT if iterations[0].is_own else Kind.REBASED


def _length(part: list[ParsedCommit], kind: Kind) -> int:
    """How many commits of a part belong to its lineage. A review ends with the commit that sums it up."""
    last = max(at for at, commit in enumerate(part) if commit.claim or commit.remark)
    if kind is Kind.REVIEW:
        return min(last + 2, len(part))
    members = {commit.oid for commit in part[: last + 1]}
    for at, commit in enumerate(part[last + 1 :], last + 1):
        if commit.reverts not in members:
            return at
        members.add(commit.oid)
    return len(part)
