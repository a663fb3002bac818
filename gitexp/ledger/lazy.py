"""Iterations that lie in git: read when they are asked for, a few at a time, and never all held at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from gitexp.errors import GitexpError
from gitexp.git.commits import Commit, read_commits, stream_commits
from gitexp.git.repository import Repository
from gitexp.ledger import fast_reader, messages, trailer_block
from gitexp.ledger.columns import ColumnEntry, Columns
from gitexp.ledger.iterations import IterationSequence
from gitexp.ledger.row import row_text
from gitexp.model import Iteration

FEW = 256  # iterations read through the kept git process; for more, a git process that streams them is faster
REMEMBERED = 4096  # iterations; a loop looks at fewer again and again


class LazyIterations(IterationSequence):
    """The iterations of a branch. ``commits`` are the object ids of their commits, one after another, ``width`` bytes
    each; a longer sequence may share and extend them."""

    def __init__(
        self,
        repo: Repository | None,
        columns: Columns,
        commits: bytearray,
        width: int,
        remembered: dict[str, Iteration],
        row_texts: Sequence[str] = (),
        kept: int = 0,
    ) -> None:
        self._columns = columns
        self.commits = commits
        self.width = width
        self._repo = repo
        self._remembered = remembered  # by commit
        self.kept = kept  # how many of them are on disk (gitexp.ledger.cache)
        self._row_texts = row_texts  # of all, where the whole history was just read; else empty

    @property
    def columns(self) -> Columns:
        return self._columns

    def of(self, repo: Repository | None) -> LazyIterations:
        """The same iterations, read from ``repo``. Without one they can outlive a repository, and nothing is read."""
        return LazyIterations(repo, self.columns, self.commits, self.width, self._remembered, kept=self.kept)

    def before(self, place: int) -> LazyIterations:
        columns, row_texts = self.columns.before(place), self._row_texts[:place]
        return LazyIterations(self._repo, columns, self.commits, self.width, self._remembered, row_texts, self.kept)

    def row_texts(self) -> Iterable[str]:
        return self._row_texts or map(row_text, self)

    def plus(self, iterations: Sequence[Iteration]) -> LazyIterations:
        if len(self._remembered) > REMEMBERED:
            self._remembered.clear()
        self._remembered.update({iteration.commit: iteration for iteration in iterations})
        own = len(self) * self.width
        commits = self.commits if len(self.commits) == own else self.commits[:own]
        for iteration in iterations:
            commits += bytes.fromhex(iteration.commit)
        columns = self.columns.plus(map(ColumnEntry.of, iterations))
        return LazyIterations(self._repo, columns, commits, self.width, self._remembered, kept=self.kept)

    @property
    def _read_from(self) -> Repository:
        assert self._repo
        return self._repo

    def commit(self, at: int) -> str:
        """The id of the commit at a place (from 0)."""
        return self.commits[at * self.width : (at + 1) * self.width].hex()

    def __len__(self) -> int:
        return len(self.columns)

    @overload
    def __getitem__(self, at: int) -> Iteration: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Iteration, ...]: ...
    def __getitem__(self, at: int | slice) -> Iteration | tuple[Iteration, ...]:
        places = range(len(self))[at]
        if isinstance(places, int):
            return self.at((places,))[0]
        return tuple(self._stream(places) if len(places) > FEW else self.at(places))

    def __iter__(self) -> Iterator[Iteration]:
        return self._stream(range(len(self)))

    def __reversed__(self) -> Iterator[Iteration]:
        for end in range(len(self), 0, -FEW):
            yield from reversed(self.at(range(max(0, end - FEW), end)))

    def index(self, value: Iteration, start: int = 0, stop: int | None = None) -> int:
        at = self.columns.numbers.index(value.number)
        return at if self.commit(at) == value.commit else super().index(value, at, stop if stop else len(self))

    def at(self, places: Sequence[int]) -> list[Iteration]:
        wanted = [self.commit(at) for at in places]
        if missing := [oid for oid in wanted if oid not in self._remembered]:
            commits = read_commits(self._read_from, missing)
            self._remembered.update({commit.oid: _iteration(commit) for commit in commits})
        iterations = [self._remembered[oid] for oid in wanted]
        if len(self._remembered) > REMEMBERED:
            self._remembered.clear()
        return iterations

    def _stream(self, places: Sequence[int]) -> Iterator[Iteration]:
        """The iterations at ``places``; where they are many, none is remembered."""
        if len(places) <= FEW:
            yield from self.at(places)
        else:
            yield from map(_quickly, stream_commits(self._read_from, map(self.commit, places)))


def _quickly(commit: Commit) -> Iteration:
    return fast_reader.read(commit.message, commit.oid) or _iteration(commit)


def _iteration(commit: Commit) -> Iteration:
    iteration = messages.from_message(trailer_block.read(commit.message), commit.oid)
    if iteration is None:
        raise GitexpError(f"{commit.oid} is not an iteration any more.", "gitexp render --full")
    return iteration


def stored(iterations: IterationSequence) -> LazyIterations:
    """The iterations of a ledger that was read from git: no other can be kept on disk, or read on."""
    assert isinstance(iterations, LazyIterations)
    return iterations
