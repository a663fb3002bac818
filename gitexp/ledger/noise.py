"""How far scores scatter by themselves: sums that grow with the history and need not be made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

PRIOR = 2  # how many seed-by-seed differences it takes to outweigh the assumption that seeds have nothing in common

Scores = Mapping[int, float]  # one side's, by seed; higher is better


@dataclass(frozen=True, slots=True)
class Noise:
    """Sums of squared deviations, and their degrees of freedom."""

    squares: float = 0.0  # between runs of one tree with different seeds
    freedom: int = 0
    paired: float = 0.0  # between the seed-by-seed differences of two trees
    pairs: int = 0

    def with_runs(self, scores: Scores) -> Noise:
        """With the runs of one tree."""
        more = max(len(scores) - 1, 0)
        return Noise(self.squares + _squares(scores), self.freedom + more, self.paired, self.pairs)

    def with_pairs(self, one: Scores, other: Scores) -> Noise:
        """With the runs of two trees that were compared."""
        differences = {seed: score - other[seed] for seed, score in one.items() if seed in other}
        more = max(len(differences) - 1, 0)
        return Noise(self.squares, self.freedom, self.paired + _squares(differences), self.pairs + more)

    @property
    def variance(self) -> float:
        """Of one run."""
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
    """The noise of all iterations up to one (by its place in the ledger), whose runs are all made."""

    last: int = -1
    noise: Noise = Noise()


def _squares(scores: Scores) -> float:
    """The squared deviations from the mean; by pairs, so that equal scores give exactly 0."""
    return sum((a - b) * (a - b) for a, b in combinations(scores.values(), 2)) / max(len(scores), 1)
