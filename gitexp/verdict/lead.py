"""How far one tree's runs lead another's, and what that lead is worth against the noise of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import Noise, Scores, pooled
from gitexp.model import Status, score_text
from gitexp.text import plural

Runs = Mapping[str, Mapping[int, float | None]]  # by iteration and seed, a run's score; None: the run crashed


@dataclass(frozen=True, slots=True)
class Lead:
    """How far the candidate is ahead of the incumbent, in units of the score; higher is better."""

    by: float
    noise: float  # the standard deviation of ``by``
    evidence: float  # by / noise, as a standard normal deviate: less than the quotient where few runs show the noise

    def over(self, incumbent: str, status: Status, runs: int, met: int) -> str:
        """The lead as a sentence: over ``incumbent``, by ``runs`` runs of the candidate against its ``met``."""
        evidence = f", evidence {self.evidence:.2f}" if math.isfinite(self.evidence) and self.by else ""
        basis = f"({plural(runs, 'run')} against {met}, noise {score_text(self.noise)}{evidence})"
        if self.by == 0:
            return f"equal to {incumbent} {basis}"
        size = score_text(abs(self.by))
        if status is Status.KEEP:
            return f"better than {incumbent} by {size} {basis}"
        if self.by < 0 and abs(self.by) > self.noise:
            return f"worse than {incumbent} by {size} {basis}"
        return f"no clear difference from {incumbent}: {'better' if self.by > 0 else 'worse'} by {size} {basis}"


def compare(mine: Scores, theirs: Scores, noise: Noise) -> Lead:
    """The candidate's lead over the incumbent: the best weighting of the runs, by what the noise has in common."""
    both = mine.keys() & theirs.keys()
    own = noise.own if both else 1.0
    origin = next(iter(mine.values()))  # differences of equal scores are exactly 0, whatever their weights
    by = variance = 0.0
    for seed in {**mine, **theirs}:
        matched = (1 - own) / len(both) if seed in both else 0.0
        ours = own / len(mine) + matched if seed in mine else 0.0
        other = own / len(theirs) + matched if seed in theirs else 0.0
        by += ours * (mine.get(seed, origin) - origin) - other * (theirs.get(seed, origin) - origin)
        variance += (1 - own) * (ours - other) * (ours - other) + own * (ours * ours + other * other)
    spread = math.sqrt(variance * noise.variance)
    return Lead(by, spread, _evidence(by, spread, noise.freedom))


def _evidence(by: float, spread: float, freedom: int) -> float:
    """The normal deviate that is as rare as by / spread is under Student's t with so many degrees of freedom.

    The approximation is Wallace's: D. L. Wallace, "Bounds on normal approximations to Student's and the chi-square
    distributions", Annals of Mathematical Statistics 30 (1959), 1121-1130.
    """
    if by == 0 or not freedom:
        return 0.0
    if spread == 0:
        return math.copysign(math.inf, by)
    t = by / spread
    return math.copysign(math.sqrt(freedom * math.log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3), by)


def measured(runs: Runs, sign: int = 1) -> dict[str, Scores]:
    """By iteration and seed, the scores of the runs that did not crash, multiplied with ``sign``."""
    return {
        tree: {seed: sign * score for seed, score in of_tree.items() if score is not None}
        for tree, of_tree in runs.items()
    }


def noise_of(ledger: Ledger, scores: Mapping[str, Scores]) -> Noise:
    """The noise of all sealed iterations' runs. A candidate's own stay out: a better run must never count against it.

    ``scores`` are at least those of the iterations from the place ``ledger.pooled_noise.last`` on.
    """
    return pooled(ledger.pooled_noise, ledger.columns, scores, len(ledger.iterations) - 1).noise
