"""The verdict: a pure function of the ledger and the runs of one step, by the rule that the contract names.

A rule is a small frozen class (:class:`Rule`) in a file of its own, and a line in :data:`RULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from gitexp.errors import GitexpError
from gitexp.ledger.ledger import Ledger
from gitexp.model import Contract, Iteration, Measurement, ReplicateRequest, Status, Verdict
from gitexp.verdict import guards
from gitexp.verdict.confirm import Confirm
from gitexp.verdict.lead import compare, measured, noise_of
from gitexp.verdict.margin import Margin


class Rule(Protocol):
    """How a candidate that was measured becomes a verdict. ``str`` of a rule names every parameter: what to seal."""

    @classmethod
    def parse(cls, rule: str) -> Rule:
        """The rule that a text names. Raises :class:`GitexpError` for parameters that cannot be read."""

    @property
    def baseline_runs(self) -> int:
        """How often the baseline is run, each time with another seed."""

    @property
    def margin(self) -> float:
        """The lead, in units of the score, that tells nothing yet, however small the noise."""

    def decide(self, ledger: Ledger, candidate: Measurement, simpler: int) -> Verdict | ReplicateRequest:
        """As :func:`decide`, for a candidate that has a score and breaks no guard."""


RULES: dict[str, Callable[[str], Rule]] = {
    "single": Margin.parse,
    "margin": Margin.parse,
    "confirm": Confirm.parse,
}


def parse(rule: str) -> Rule:
    """The rule that a contract names. Raises :class:`GitexpError` when this gitexp does not know it."""
    name = (rule.split() or [""])[0]
    if name not in RULES:
        *others, last = RULES
        raise GitexpError(
            f"{rule!r} is not a rule that this gitexp knows: {', '.join(others)}, or {last}.",
            "gitexp init -h   # or, where a newer gitexp began the experiment: pip install --upgrade gitexp",
        )
    return RULES[name](rule)


def check_rule(contract: Contract) -> None:
    """Raises :class:`GitexpError` when the contract's rule cannot be read."""
    parse(contract.rule)


def baseline_runs(rule: str) -> int:
    """How often the baseline is run: a rule that weighs noise needs some to start with."""
    return parse(rule).baseline_runs


def decide(ledger: Ledger, candidate: Measurement, simpler: int = 0) -> Verdict | ReplicateRequest:
    """The verdict on a candidate, or the run that has to be made before there can be one.

    ``candidate`` holds all runs of the step so far: the candidate's own, of which one is the first, and those of the
    incumbent that were asked for. ``simpler`` is by how many lines the candidate is shorter, where that is its point:
    then it only must not be worse. Raises :class:`GitexpError` for a contract whose rule or guards cannot be read.
    """
    rule = parse(ledger.contract.rule)
    identity = candidate.samples[0].iteration
    if candidate.pruned:
        return Verdict(Status.DISCARD, candidate.pruned)
    if candidate.score is None or any(s.score is None for s in candidate.samples if s.iteration == identity):
        return Verdict(Status.CRASH, candidate.reason or "a replicate crashed")
    if reason := guards.broken(ledger.contract, candidate):
        return Verdict(Status.DISCARD, reason)
    decided = rule.decide(ledger, candidate, simpler)
    if isinstance(decided, ReplicateRequest):
        return decided
    numbers = (decided.delta, decided.lead, decided.noise, decided.evidence)
    return Verdict(decided.status, decided.reason, *map(_finite, numbers))


def _finite(number: float | None) -> float | None:
    """Neither a trailer nor JSON can hold another one."""
    return number if number is not None and math.isfinite(number) else None


def decide_again(ledger: Ledger, iteration: Iteration) -> Verdict:
    """The verdict on an iteration of the ledger, with its numbers: from its sealed runs and what stood before it.

    The sealed verdict as it is, without numbers, for the baseline, and where the rule would not have decided yet.
    Raises :class:`GitexpError` for a contract whose rule or guards cannot be read.
    """
    if iteration.contract or not iteration.measurement.samples:
        return iteration.verdict
    decided = decide(ledger.before(iteration), iteration.measurement, iteration.candidate.simpler)
    return decided if isinstance(decided, Verdict) else iteration.verdict


def holds_against(
    ledger: Ledger, runs: Mapping[int, float | None], against: str, slack: float = 1.0
) -> tuple[bool, str]:
    """Whether a tree, by its runs (a score by seed), is as good as the iteration ``against`` was, and why.

    It may be worse by ``slack`` times the noise of the difference, or by the rule's margin.
    """
    scores = measured({**ledger.replicates(), "": runs}, ledger.contract.direction.sign)
    mine = scores.pop("")
    noise = noise_of(ledger, scores)
    lead = compare(mine, scores[against], noise if noise.freedom else noise.with_runs(mine))
    status = Status.KEEP if lead.by > lead.noise else Status.DISCARD
    allowed = max(slack * lead.noise, parse(ledger.contract.rule).margin)
    return lead.by >= -allowed, lead.over(against, status, len(mine), len(scores[against]))


def run_noise(ledger: Ledger) -> float:
    """The standard deviation of one run's score, from all replicates in the history; 0 when there are none."""
    return math.sqrt(noise_of(ledger, measured(ledger.replicates(since=ledger.pooled_noise.last))).variance)
