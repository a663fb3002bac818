"""How far scores scatter by themselves: sums over all runs of a history, which grow and need not be made again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from gitexp.ledger.columns import KEEP, Columns
from gitexp.model import Sample, identity

PRIOR = 2  # how many seed-by-seed differences it takes to outweigh the assumption that seeds have nothing in common

Scores = Mapping[int, float]  # one side's, by seed; higher is better


@dataclass(frozen=True, slots=True)
class Noise:
    """Sums of squared deviations, in squared units of the score, and their degrees of freedom."""

    squares: float = 0.0  # between runs of one tree with different seeds
    freedom: int = 0
    paired: float = 0.0  # between the seed-by-seed differences of two trees
    pairs: int = 0

    def with_runs(self, scores: Scores) -> Noise:
        """This noise, and that between the runs of one more tree."""
        more = max(len(scores) - 1, 0)
        return Noise(self.squares + _squares(scores), self.freedom + more, self.paired, self.pairs)

    def with_pairs(self, one: Scores, other: Scores) -> Noise:
        """This noise, and that between the seed-by-seed differences of two trees that were compared."""
        differences = {seed: score - other[seed] for seed, score in one.items() if seed in other}
        more = max(len(differences) - 1, 0)
        return Noise(self.squares, self.freedom, self.paired + _squares(differences), self.pairs + more)

    @property
    def variance(self) -> float:
        """The variance of one run's score; 0 where no tree was run twice."""
        return self.squares / self.freedom if self.freedom else 0.0

    @property
    def own(self) -> float:
        """The share of the variance that two trees with the same seed do not have in common."""
        if not self.variance:
            return 1.0
        unshared = (self.paired / 2 + PRIOR * self.variance) / (self.pairs + PRIOR)
        return min(1.0, unshared / self.variance)


@dataclass(frozen=True, slots=True)
class PooledNoise:
    """The noise of the iterations from the first to the one at the place ``last`` in the ledger (-1: of none)."""

    last: int = -1
    noise: Noise = Noise()


def pooled(before: PooledNoise, columns: Columns, scores: Mapping[str, Scores], last: int) -> PooledNoise:
    """The noise ``before``, and that of the iterations after it, up to the place ``last`` and including it.

    ``scores`` are by iteration. The one at ``before.last`` is a KEEP, and its scores are needed too: the next iteration
    was compared with it.
    """
    noise, numbers, statuses = before.noise, columns.numbers, columns.statuses
    incumbent = identity(numbers[before.last]) if before.last >= 0 else ""
    for at in range(before.last + 1, last + 1):
        iteration = identity(numbers[at])
        runs = scores.get(iteration, {})
        noise = noise.with_runs(runs).with_pairs(runs, scores.get(incumbent, {}))
        incumbent = iteration if statuses[at : at + 1] == KEEP else incumbent
    return PooledNoise(last, noise)


def settled(before: PooledNoise, columns: Columns, made: Iterable[Sequence[Sample]]) -> PooledNoise:
    """The noise that no later step can change: of the last KEEP but one, and of all iterations before it.

    A step runs nothing but its candidate and the incumbent, which is the last KEEP. ``made`` are the samples of the
    steps from the place ``before.last`` on (from the first step, if that is -1).
    """
    last = columns.statuses.rfind(KEEP, 0, columns.statuses.rindex(KEEP))
    scores: dict[str, dict[int, float]] = {}
    for sample in (sample for samples in made for sample in samples):
        if sample.score is not None:
            scores.setdefault(sample.iteration, {}).setdefault(sample.seed, sample.score)
    if all(len(runs) < 2 for runs in scores.values()):  # a single run says nothing of the noise
        return PooledNoise(last, before.noise)
    return pooled(before, columns, scores, last)


def _squares(scores: Scores) -> float:
    """The squared deviations from the mean; by pairs, so that equal scores give exactly 0."""
    return sum((a - b) * (a - b) for a, b in combinations(scores.values(), 2)) / max(len(scores), 1)
