"""The verdict of the rule ``single``."""

from __future__ import annotations

import pytest

from gitexp.decide import RULES, decide
from gitexp.model import Contract, Direction, Iteration, Ledger, Measurement, Notes, Sample, Status, Verdict


def measured(score: float | None, reason: str = "") -> Measurement:
    return Measurement((Sample("exp000", 0, 1.0, score),), score=score, reason=reason)


def ledger(direction: Direction, *scored: tuple[Status, float | None]) -> Ledger:
    contract = Contract("metric", direction, 1.0, 2.0, "train.py", ("train.py",), (), "single", "h", 0)
    iterations = tuple(
        Iteration(f"exp{number:03d}", "run", "base", "tree", status, "", "", measured(score))
        for number, (status, score) in enumerate(scored)
    )
    return Ledger("name", "tip", contract, iterations, Notes())


MIN, MAX = Direction.MINIMIZE, Direction.MAXIMIZE
KEEP, DISCARD, CRASH = Status.KEEP, Status.DISCARD, Status.CRASH


@pytest.mark.parametrize(
    ("direction", "incumbent", "score", "status", "reason"),
    [
        (MIN, 2.0, 1.5, KEEP, "better than exp000 (2.000000) by 0.500000"),
        (MIN, 2.0, 2.5, DISCARD, "worse than exp000 (2.000000) by 0.500000"),
        (MIN, 2.0, 2.0, DISCARD, "equal to exp000 (2.000000)"),
        (MAX, 2.0, 2.5, KEEP, "better than exp000 (2.000000) by 0.500000"),
        (MAX, 2.0, 1.5, DISCARD, "worse than exp000 (2.000000) by 0.500000"),
        (MAX, 2.0, 2.0, DISCARD, "equal to exp000 (2.000000)"),
        (MIN, 0.0, -1e-9, KEEP, "better than exp000 (0.000000) by 1e-09"),
        (MAX, 0.0, -1e-9, DISCARD, "worse than exp000 (0.000000) by 1e-09"),
        (MIN, -1.0, -2.0, KEEP, "better than exp000 (-1.000000) by 1.000000"),
        (MIN, 5e-324, 0.0, KEEP, "better than exp000 (4.94066e-324) by 4.94066e-324"),
        (MIN, 0.0, -0.0, DISCARD, "equal to exp000 (0.000000)"),
        (MIN, 1e308, -1e308, KEEP, "better than exp000 (1e+308) by inf"),
    ],
)
def test_single_keeps_what_is_strictly_better(
    direction: Direction, incumbent: float, score: float, status: Status, reason: str
) -> None:
    assert decide(ledger(direction, (KEEP, incumbent)), measured(score)) == Verdict(status, reason)


@pytest.mark.parametrize("direction", Direction)
def test_no_score_is_a_crash_for_the_reason_measured(direction: Direction) -> None:
    verdict = decide(ledger(direction, (KEEP, 2.0)), measured(None, "exit 1: ValueError"))
    assert verdict == Verdict(CRASH, "exit 1: ValueError")


def test_the_candidate_meets_the_last_keep() -> None:
    history = ledger(MIN, (KEEP, 2.0), (KEEP, 1.0), (DISCARD, 1.5), (CRASH, None))
    assert decide(history, measured(1.25)) == Verdict(DISCARD, "worse than exp001 (1.000000) by 0.250000")
    assert decide(history, measured(0.75)) == Verdict(KEEP, "better than exp001 (1.000000) by 0.250000")


def test_the_rules_are_known_by_name() -> None:
    assert "single" in RULES
