"""The ledger: the iterations of one experiment, as read back from its branch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import isnan

from gitexp.ledger.columns import KEEP, Columns
from gitexp.ledger.iterations import IterationSequence
from gitexp.ledger.noise import PooledNoise
from gitexp.model import ID, Contract, Iteration, Measurement, Notes, Remark, Status, identity, number


@dataclass(frozen=True, slots=True)
class Ledger:
    """The iterations of one experiment as read from its branch, oldest first, the baseline at index 0."""

    name: str
    tip: str  # the commit that the branch is at
    contract: Contract
    iterations: IterationSequence
    notes: Notes  # what people's sections say now
    sealed: str = ""  # the newest commit that a step made
    foreign_commits: tuple[str, ...] = ()  # commits on the branch since the baseline that no step made, newest first
    hidden_trailers: tuple[str, ...] = ()  # iterations whose trailer block something was put after
    remarks: tuple[Remark, ...] = ()  # oldest first
    pooled_noise: PooledNoise = field(default_factory=PooledNoise)
    tree: str = ""  # of the tip

    @property
    def columns(self) -> Columns:
        """The status, number, score, … of all iterations."""
        return self.iterations.columns

    @property
    def baseline(self) -> Iteration:
        """The first iteration, which carries the contract."""
        return self.iterations[0]

    @property
    def incumbent(self) -> Iteration:
        """The last KEEP: what the next candidate is compared with."""
        return self.iterations[self.columns.statuses.rindex(KEEP)]

    def met_by(self, iteration: Iteration) -> Iteration | None:
        """The incumbent that an iteration was compared with; ``None`` for the baseline."""
        at = self.columns.statuses.rfind(KEEP, 0, self.iterations.index(iteration))
        return self.iterations[at] if at >= 0 else None

    @property
    def next_id(self) -> str:
        """The id that the next iteration gets."""
        return identity(self.columns.numbers[-1] + 1)

    def named(self, identity: str) -> Iteration | None:
        """The iteration of an id; ``None`` when there is none."""
        numbers = self.columns.numbers
        if not re.fullmatch(ID, identity) or number(identity) not in numbers:
            return None
        return self.iterations[numbers.index(number(identity))]

    def last(self, status: Status, limit: int) -> Sequence[Iteration]:
        """The last ``limit`` iterations with a status, oldest first."""
        return self.iterations.at(self.columns.last(status.letter, limit))

    def before(self, iteration: Iteration) -> Ledger:
        """A ledger of the iterations that came before one, and their noise. Everything else is as it is now."""
        place = self.iterations.index(iteration)
        is_settled = self.columns.statuses.rindex(KEEP) < place  # a later step may have added runs to what came before
        noise = self.pooled_noise if is_settled else PooledNoise()
        return replace(self, iterations=self.iterations.before(place), pooled_noise=noise)

    def noted(self, limit: int) -> Sequence[Iteration]:
        """The last ``limit`` iterations that carry a note, oldest first."""
        return self.iterations.at(self.columns.last_noted(limit))

    def tried_as(self, patch: str) -> Iterator[Iteration]:
        """The iterations of an edit, by git's patch id, newest first."""
        candidates = (self.iterations[at] for at in self.columns.with_patch(patch)) if patch else ()
        return (iteration for iteration in candidates if iteration.candidate.patch == patch)

    def tests(self) -> dict[str, list[float]]:
        """By iteration, the scores on the held-out split, in the order of the looks."""
        scores: dict[str, list[float]] = {}
        columns = self.columns
        own = ((identity(n), test) for n, test in zip(columns.numbers, columns.tests, strict=True) if not isnan(test))
        looks = ((remark.of, remark.score) for remark in self.remarks if remark.kind == "test")
        for of, score in (*own, *looks):
            if score is not None:
                scores.setdefault(of, []).append(score)
        return scores

    def replicates(self, *steps: Measurement, since: int = 0) -> dict[str, dict[int, float | None]]:
        """By iteration and seed, the score of each run (``None``: it crashed), whichever step made it.

        ``steps`` are the measurements of steps under way. The steps of the iterations before the place ``since`` are
        left out.
        """
        runs: dict[str, dict[int, float | None]] = {}
        iterations = self.iterations[since:] if since > 0 else self.iterations
        for measurement in chain((iteration.measurement for iteration in iterations), steps):
            for sample in measurement.samples:
                runs.setdefault(sample.iteration, {}).setdefault(sample.seed, sample.score)
        return runs

    def running_best(self) -> list[float]:
        """The incumbent's score after each iteration."""
        return self.columns.best()

    def count(self, status: Status) -> int:
        """How many iterations have a status."""
        return self.columns.statuses.count(status.letter)

    def tally(self) -> str:
        """``3 KEEP, 8 DISCARD, 1 CRASH``."""
        return ", ".join(f"{self.count(status)} {status.value}" for status in Status)
