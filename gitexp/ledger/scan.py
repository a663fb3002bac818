"""A branch read commit by commit, newest first: what each commit is, and the ledger that comes of all of them."""

from __future__ import annotations

from gitexp.git.commits import Commit
from gitexp.git.provenance import is_revert
from gitexp.git.repository import Repository
from gitexp.ledger import fast_reader, messages, trailer_block
from gitexp.ledger.columns import KEEP, ColumnEntry, Columns
from gitexp.ledger.fast_reader import QuickRead
from gitexp.ledger.lazy import LazyIterations
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import PooledNoise, settled
from gitexp.model import Contract, Notes, Remark, Sample
from gitexp.text import from_bytes, printable, short


class BranchScan:
    """Tells commits apart, newest first: iterations, their reverts, remarks, and commits that gitexp did not make."""

    def __init__(self, many: bool) -> None:
        self._many = many  # commits are to come: then the fast reader's expression is worth compiling
        self.tree = ""  # of the newest commit
        self.sealed = ""  # the newest commit that a step made
        self.foreign_commits: list[str] = []
        self.hidden_trailers: list[str] = []  # ids of iterations
        self.remarks: list[Remark] = []
        self.revert: Commit | None = None  # a revert whose iteration must come next
        self._undone: Commit | None = None  # a revert whose iteration came: the commit before must have its tree
        self._remarked: tuple[Commit, Remark] | None = None  # a remark, if the commit before has its tree

    def take(self, commit: Commit) -> QuickRead | None:
        """The iteration that was sealed in the next commit, if one was."""
        self.tree = self.tree or commit.tree
        self.check_before(commit.tree)
        sealed, hidden_trailers = _sealed_in(commit, self._many)
        iteration = sealed if isinstance(sealed, QuickRead) else None
        if self.revert:
            self._take_reverted(iteration)
        if isinstance(sealed, Remark):
            self._remarked = commit, sealed
        elif sealed:
            self.sealed = self.sealed or commit.oid
            self.hidden_trailers += [sealed.id] if hidden_trailers else []
        elif is_revert(commit.message, b"exp"):
            self.revert = commit
        else:
            self.foreign_commits.append(_with_subject(commit))
        return iteration

    def check_before(self, tree: str) -> None:
        """Hold the last revert, or remark, to the ``tree`` of the commit before; any other is a foreign commit."""
        if self._undone and self._undone.tree != tree:
            self.foreign_commits.append(_with_subject(self._undone))
        if self._remarked:
            self._take_remark(*self._remarked, tree)
        self._undone = self._remarked = None

    def _take_remark(self, commit: Commit, remark: Remark, tree: str) -> None:
        """Take a remark if it changes no file; ``tree`` is that of the commit before."""
        if commit.tree == tree:
            self.remarks.append(remark)
            self.sealed = self.sealed or commit.oid
        else:
            self.foreign_commits.append(_with_subject(commit))

    def _take_reverted(self, iteration: QuickRead | None) -> None:
        assert self.revert
        if iteration and iteration.entry.status != KEEP:
            self._undone = self.revert
            self.sealed = self.sealed or self.revert.oid
        else:
            self.foreign_commits.append(_with_subject(self.revert))
        self.revert = None


class LedgerBuilder:
    """The ledger of a whole history, built of its iterations, newest first."""

    def __init__(self) -> None:
        self._entries: list[ColumnEntry] = []
        self._commits: list[bytes] = []
        self._row_texts: list[str] = []
        self._notes: list[Notes] = []
        self._samples: list[tuple[Sample, ...]] = []

    def add(self, commit: Commit, iteration: QuickRead) -> None:
        self._entries.append(iteration.entry)
        self._commits.append(bytes.fromhex(commit.oid))
        self._row_texts.append(iteration.row_text)
        if iteration.samples:
            self._samples.append(iteration.samples)
        if iteration.iteration or len(self._entries) == 1:  # what the fast reader reads has no notes
            self._notes.append(iteration.notes)

    def ledger(self, repo: Repository, name: str, tip: str, scan: BranchScan, contract: Contract) -> Ledger:
        """The ledger of the iterations added: the last of them is the baseline, with its ``contract``."""
        notes = Notes()
        for written in reversed(self._notes):
            notes = written.over(notes)
        columns = Columns().plus(reversed(self._entries))
        width = len(self._commits[0])
        iterations = LazyIterations(
            repo, columns, bytearray().join(reversed(self._commits)), width, {}, self._row_texts[::-1]
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


def _sealed_in(commit: Commit, many: bool) -> tuple[QuickRead | Remark | None, bool]:
    """The iteration or remark that was sealed in a commit, and whether git does not see its trailers.

    ``None`` for a commit that was copied here from where it was sealed, or was amended since.
    """
    if b"\nExp-" not in commit.message:
        return None, False
    read, hidden_trailers = fast_reader.quick_read(commit.message, commit.oid) if many else None, False
    if read is None:
        message = trailer_block.read(commit.message)
        iteration, hidden_trailers = messages.from_message(message, commit.oid), message.displaced
        if iteration is None:
            remark = messages.remark_from(message, commit.oid)
            return (remark if remark and commit.parents[:1] == (remark.base,) else None), False
        read = QuickRead.of(iteration)
    is_own = commit.parents[:1] == (read.base,) and commit.tree == read.tree
    return (read, hidden_trailers) if is_own else (None, False)


def _with_subject(commit: Commit) -> str:
    return f"{short(commit.oid)} {printable(from_bytes(commit.message.partition(bytes([10]))[0]))}"
