"""The iterations of a ledger as one sequence, oldest first, and what can be asked of all of them at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from gitexp.ledger.columns import ColumnEntry, Columns
from gitexp.ledger.row import row_text
from gitexp.model import Iteration


class IterationSequence(Sequence[Iteration]):
    """Iterations, oldest first, the baseline at index 0.

    Not a :class:`typing.Protocol`, since what takes any sequence of iterations is to take this one.
    """

    @property
    @abstractmethod
    def columns(self) -> Columns:
        """The status, number, score, … of all iterations."""

    @abstractmethod
    def at(self, places: Sequence[int]) -> Sequence[Iteration]:
        """The iterations at a few places (from 0), read together where they have to be read."""

    @abstractmethod
    def before(self, place: int) -> IterationSequence:
        """The iterations that come before a place (from 0)."""

    @abstractmethod
    def plus(self, iterations: Sequence[Iteration]) -> IterationSequence:
        """These iterations, and ``iterations`` after them."""

    @abstractmethod
    def row_texts(self) -> Iterable[str]:
        """For each iteration its row of results.tsv, as :func:`gitexp.ledger.row.row_text` writes it."""


@dataclass(frozen=True)
class IterationTuple(IterationSequence):
    """Iterations that are all in memory."""

    items: tuple[Iteration, ...]

    @cached_property
    def columns(self) -> Columns:
        return Columns().plus(map(ColumnEntry.of, self.items))

    def at(self, places: Sequence[int]) -> list[Iteration]:
        return [self.items[place] for place in places]

    def before(self, place: int) -> IterationTuple:
        return IterationTuple(self.items[:place])

    def plus(self, iterations: Sequence[Iteration]) -> IterationTuple:
        return IterationTuple((*self.items, *iterations))

    def row_texts(self) -> Iterable[str]:
        return map(row_text, self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, at: int) -> Iteration: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Iteration, ...]: ...
    def __getitem__(self, at: int | slice) -> Iteration | tuple[Iteration, ...]:
        return self.items[at]
