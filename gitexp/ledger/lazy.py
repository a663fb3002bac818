"""Iterations that lie in git: read when they are asked for, a few at a time, and never all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from gitexp.errors import GitexpError
from gitexp.git.commits import Commit, read_commits, stream_commits
from gitexp.git.repository import Repository
from gitexp.ledger import fast_reader, messages, trailer_block
from gitexp.ledger.columns import Columns, Row
from gitexp.ledger.iterations import IterationSequence
from gitexp.ledger.row import told
from gitexp.model import Iteration

FEW = 256  # iterations that are asked of a process that is kept open; for more a stream of their own is faster
REMEMBERED = 4096  # iterations; what a loop looks at again and again is fewer


class LazyIterations(IterationSequence):
    """Oldest first. ``commits`` are their object ids, as bytes, ``width`` each; a longer one may share them."""

    def __init__(
        self,
        repo: Repository | None,
        columns: Columns,
        commits: bytearray,
        width: int,
        known: dict[str, Iteration],
        told: Sequence[str] = (),
        kept: int = 0,
    ) -> None:
        self._columns = columns
        self.commits = commits
        self.width = width
        self._repo = repo
        self._known = known  # by commit: what was read already
        self.kept = kept  # how many of them are kept on disk
        self._told = told  # what results.tsv says of each, where all were just read

    @property
    def columns(self) -> Columns:
        return self._columns

    def of(self, repo: Repository | None) -> LazyIterations:
        """The same, read from ``repo``. Without one they can be kept beside it, and do not keep it open."""
        return LazyIterations(repo, self.columns, self.commits, self.width, self._known, kept=self.kept)

    def before(self, place: int) -> LazyIterations:
        return LazyIterations(
            self._repo, self.columns.before(place), self.commits, self.width, self._known, self._told[:place], self.kept
        )

    def told(self) -> Iterable[str]:
        return self._told or map(told, self)

    def plus(self, iterations: Sequence[Iteration]) -> LazyIterations:
        if len(self._known) > REMEMBERED:
            self._known.clear()
        self._known.update({iteration.commit: iteration for iteration in iterations})
        own = len(self) * self.width
        commits = self.commits if len(self.commits) == own else self.commits[:own]
        for iteration in iterations:
            commits += bytes.fromhex(iteration.commit)
        columns = self.columns.plus(map(Row.of, iterations))
        return LazyIterations(self._repo, columns, commits, self.width, self._known, kept=self.kept)

    @property
    def _read_from(self) -> Repository:
        assert self._repo
        return self._repo

    def commit(self, at: int) -> str:
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
        """Those at a few places, read together."""
        wanted = [self.commit(at) for at in places]
        if missing := [oid for oid in wanted if oid not in self._known]:
            self._known.update({commit.oid: _iteration(commit) for commit in read_commits(self._read_from, missing)})
        found = [self._known[oid] for oid in wanted]
        if len(self._known) > REMEMBERED:
            self._known.clear()
        return found

    def _stream(self, places: Sequence[int]) -> Iterator[Iteration]:
        """Without remembering them."""
        if len(places) <= FEW:
            yield from self.at(places)
        else:
            yield from map(_quickly, stream_commits(self._read_from, map(self.commit, places)))


def _quickly(commit: Commit) -> Iteration:
    return fast_reader.read(commit.message, commit.oid) or _iteration(commit)


def _iteration(commit: Commit) -> Iteration:
    iteration = messages.from_message(trailer_block.read(commit.message), commit.oid)
    if iteration is None:
        raise GitexpError(f"{commit.oid} is no iteration any more.", "gitexp render --full")
    return iteration


def stored(iterations: IterationSequence) -> LazyIterations:
    """The iterations of a ledger that was read from git: no other can be kept on disk, or read on."""
    assert isinstance(iterations, LazyIterations)
    return iterations
