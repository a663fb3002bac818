"""The ledger: the iterations of one experiment, as read back from its branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan

from gitexp.ledger.columns import KEEP, Columns, Row
from gitexp.ledger.noise import PooledNoise
from gitexp.model import Contract, Iteration, Measurement, Notes, Remark, Status, identity


@dataclass(frozen=True, slots=True)
class Ledger:
    """The iterations of one experiment as read from its branch, oldest first, the baseline at index 0."""

    name: str
    tip: str
    contract: Contract
    iterations: Sequence[Iteration]
    notes: Notes  # what people's sections say now
    sealed: str = ""  # the newest commit that a step made
    foreign_commits: tuple[str, ...] = ()  # commits on the branch since the baseline that no step made, newest first
    hidden_trailers: tuple[str, ...] = ()  # iterations whose trailer block something was put after
    remarks: tuple[Remark, ...] = ()  # oldest first
    pooled_noise: PooledNoise = field(default_factory=PooledNoise)
    tree: str = ""  # of the tip

    @property
    def columns(self) -> Columns:
        """What can be asked of all iterations at once; those that lie in git bring theirs along."""
        known = getattr(self.iterations, "columns", None)
        return known if isinstance(known, Columns) else Columns().plus(map(row, self.iterations))

    @property
    def baseline(self) -> Iteration:
        return self.iterations[0]

    @property
    def incumbent(self) -> Iteration:
        return self.iterations[self.columns.statuses.rindex(KEEP)]

    def met_by(self, iteration: Iteration) -> Iteration | None:
        """The incumbent that an iteration was compared with; ``None`` for the baseline."""
        at = self.columns.statuses.rfind(KEEP, 0, self.iterations.index(iteration))
        return self.iterations[at] if at >= 0 else None

    @property
    def next_id(self) -> str:
        return identity(self.columns.numbers[-1] + 1)

    def last(self, status: Status, limit: int) -> Sequence[Iteration]:
        """The last so many with a verdict, oldest first."""
        return self.at(self.columns.last(status.letter, limit))

    def at(self, places: Sequence[int]) -> Sequence[Iteration]:
        """The iterations at these places: those that lie in git are read together."""
        together: Callable[[Sequence[int]], Sequence[Iteration]] | None = getattr(self.iterations, "at", None)
        return together(places) if together else [self.iterations[at] for at in places]

    def noted(self, limit: int) -> Sequence[Iteration]:
        """The last so many that carry a note, oldest first."""
        return self.at(self.columns.last_noted(limit))

    def tried_as(self, patch: str) -> Iterator[Iteration]:
        """The iterations of an edit, newest first."""
        found = (self.iterations[at] for at in self.columns.with_patch(patch)) if patch else ()
        return (iteration for iteration in found if iteration.candidate.patch == patch)

    def tests(self) -> dict[str, list[float]]:
        """By iteration, the scores on the held-out split, in the order of the looks."""
        found: dict[str, list[float]] = {}
        columns = self.columns
        own = ((identity(n), test) for n, test in zip(columns.numbers, columns.tests, strict=True) if not isnan(test))
        looks = ((remark.of, remark.score) for remark in self.remarks if remark.kind == "test")
        for of, score in (*own, *looks):
            if score is not None:
                found.setdefault(of, []).append(score)
        return found

    def replicates(self, *steps: Measurement, since: int = 0) -> dict[str, dict[int, float | None]]:
        """Each iteration's scores by seed, from whichever step ran it, ``steps`` under way included; None: a crash.

        Those of the iterations that come before the place ``since`` are left out.
        """
        found: dict[str, dict[int, float | None]] = {}
        sealed = (iteration.measurement for iteration in self.iterations[max(since, 0) :])
        for measurement in (*sealed, *steps):
            for sample in measurement.samples:
                found.setdefault(sample.iteration, {}).setdefault(sample.seed, sample.score)
        return found

    def running_best(self) -> list[float]:
        """The incumbent's score after each iteration."""
        return self.columns.best()

    def count(self, status: Status) -> int:
        return self.columns.statuses.count(status.letter)

    def tally(self) -> str:
        """``3 KEEP, 8 DISCARD, 1 CRASH``."""
        return ", ".join(f"{self.count(status)} {status.value}" for status in Status)


def row(iteration: Iteration) -> Row:
    """What of an iteration goes into the columns."""
    return Row(
        iteration.status.letter,
        iteration.number,
        bool(iteration.notes.note),
        iteration.score,
        iteration.delta,
        iteration.measurement.test,
        iteration.candidate.patch,
    )
