"""Commits taken newest first, and told apart; and what has to be kept of a whole history's iterations."""

from __future__ import annotations

from gitexp.git.commits import Commit
from gitexp.git.provenance import is_revert
from gitexp.git.repository import Repository
from gitexp.ledger import fast_reader, messages, trailer_block
from gitexp.ledger.columns import KEEP, Columns, Row
from gitexp.ledger.fast_reader import QuickRead
from gitexp.ledger.lazy import LazyIterations
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import PooledNoise, settled
from gitexp.model import Contract, Notes, Remark, Sample
from gitexp.text import from_bytes, printable, short


class BranchScan:
    """Commits taken newest first, and told apart: iterations, their reverts, remarks, and those of strangers."""

    def __init__(self, many: bool) -> None:
        self._many = many  # are to come: then the short way of reading them pays
        self.tree = ""  # of the newest
        self.sealed = ""
        self.foreign_commits: list[str] = []
        self.hidden_trailers: list[str] = []
        self.remarks: list[Remark] = []
        self.revert: Commit | None = None  # one whose iteration must come next
        self._undone: Commit | None = None  # one whose iteration came: the next commit must be of its tree

    def take(self, commit: Commit) -> QuickRead | None:
        """The iteration that it is, if it is one."""
        self.tree = self.tree or commit.tree
        self.before(commit.tree)
        said, hidden_trailers = _said(commit, self._many)
        iteration = said if isinstance(said, QuickRead) else None
        if self.revert:
            self._take_reverted(iteration)
        if said:
            self.sealed = self.sealed or commit.oid
        if isinstance(said, Remark):
            self.remarks.append(said)
        elif said:
            self.hidden_trailers += [said.id] if hidden_trailers else []
        elif is_revert(commit.message, b"exp"):
            self.revert = commit
        else:
            self.foreign_commits.append(_with_subject(commit))
        return iteration

    def before(self, tree: str) -> None:
        """Before the commits taken comes one of this tree."""
        if self._undone and self._undone.tree != tree:
            self.foreign_commits.append(_with_subject(self._undone))
        self._undone = None

    def _take_reverted(self, iteration: QuickRead | None) -> None:
        assert self.revert
        if iteration and iteration.row.status != KEEP:
            self._undone = self.revert
            self.sealed = self.sealed or self.revert.oid
        else:
            self.foreign_commits.append(_with_subject(self.revert))
        self.revert = None


class LedgerBuilder:
    """The iterations of a whole history, newest first: what has to be kept of each."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._commits: list[bytes] = []
        self._told: list[str] = []
        self._notes: list[Notes] = []
        self._samples: list[tuple[Sample, ...]] = []

    def add(self, commit: Commit, iteration: QuickRead) -> None:
        self._rows.append(iteration.row)
        self._commits.append(bytes.fromhex(commit.oid))
        self._told.append(iteration.told)
        if iteration.samples:
            self._samples.append(iteration.samples)
        if iteration.iteration or len(self._rows) == 1:  # else it has none
            self._notes.append(iteration.notes)

    def ledger(self, repo: Repository, name: str, tip: str, scan: BranchScan, contract: Contract) -> Ledger:
        notes = Notes()
        for written in reversed(self._notes):
            notes = written.over(notes)
        columns = Columns().plus(reversed(self._rows))
        width = len(self._commits[0])
        iterations = LazyIterations(
            repo, columns, bytearray().join(reversed(self._commits)), width, {}, self._told[::-1]
        )
        return Ledger(
            name,
            tip,
            contract,
            iterations,
            notes,
            scan.sealed,
            tuple(scan.foreign_commits),
            tuple(scan.hidden_trailers),
            tuple(scan.remarks[::-1]),
            settled(PooledNoise(), columns, self._samples[::-1]),
            scan.tree,
        )


def _said(commit: Commit, many: bool) -> tuple[QuickRead | Remark | None, bool]:
    """What was sealed in this commit, and whether its trailers are displaced.

    Nothing was in a copy of one that was sealed elsewhere, nor in one that was amended since.
    """
    if b"\nExp-" not in commit.message:
        return None, False
    found, hidden_trailers = fast_reader.glance(commit.message, commit.oid) if many else None, False
    if found is None:
        message = trailer_block.read(commit.message)
        iteration, hidden_trailers = messages.from_message(message, commit.oid), message.displaced
        if iteration is None:
            remark = messages.remark_from(message, commit.oid)
            return (remark if remark and commit.parents[:1] == (remark.base,) else None), False
        found = fast_reader.of(iteration)
    own = commit.parents[:1] == (found.base,) and commit.tree == found.tree
    return (found, hidden_trailers) if own else (None, False)


def _with_subject(commit: Commit) -> str:
    return f"{short(commit.oid)} {printable(from_bytes(commit.message.partition(bytes([10]))[0]))}"
