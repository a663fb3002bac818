"""The noise of all runs in a history, iteration by iteration; what is final of it need not be made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitexp.ledger.columns import KEEP
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import PooledNoise, Scores
from gitexp.model import Sample, identity


def with_next(pooled_noise: PooledNoise, iteration: str, incumbent: str, scores: Mapping[str, Scores]) -> PooledNoise:
    """With the next iteration in the history, which met ``incumbent``."""
    runs = scores.get(iteration, {})
    return PooledNoise(
        pooled_noise.last + 1, pooled_noise.noise.with_runs(runs).with_pairs(runs, scores.get(incumbent, {}))
    )


def settle(ledger: Ledger, made: Sequence[Sequence[Sample]]) -> PooledNoise:
    """The noise of what no later step can add runs to: the last but one KEEP, and all before it.

    ``made`` are the samples of the steps from the place ``ledger.settled.last`` on (from the first, if that is -1).
    """
    pooled_noise, statuses = ledger.pooled_noise, ledger.columns.statuses
    last = statuses.rfind(KEEP, 0, statuses.rindex(KEEP))
    scores: dict[str, dict[int, float]] = {}
    for sample in (sample for samples in made for sample in samples):
        if sample.score is not None:
            scores.setdefault(sample.iteration, {}).setdefault(sample.seed, sample.score)
    if all(len(runs) < 2 for runs in scores.values()):  # one run by itself tells nothing of the noise
        return PooledNoise(last, pooled_noise.noise)
    incumbent = identity(ledger.columns.numbers[pooled_noise.last]) if pooled_noise.last >= 0 else ""
    for at in range(pooled_noise.last + 1, last + 1):
        iteration = identity(ledger.columns.numbers[at])
        pooled_noise = with_next(pooled_noise, iteration, incumbent, scores)
        incumbent = iteration if statuses[at : at + 1] == KEEP else incumbent
    return pooled_noise
