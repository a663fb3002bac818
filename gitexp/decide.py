"""The verdict: a pure function of the ledger and the measurement."""

from __future__ import annotations

from gitexp.errors import GitexpError
from gitexp.model import Again, Contract, Ledger, Measurement, Status, Verdict, score_text

RULES = ("single",)


def check_rule(contract: Contract) -> None:
    if contract.rule not in RULES:
        raise GitexpError(
            f"This experiment's rule is {contract.rule!r}; this gitexp knows {', '.join(RULES)}.",
            "pip install --upgrade gitexp",
        )


def baseline_runs(rule: str) -> int:
    """How often the baseline is run."""
    return 1 if rule == "single" else 2


def decide(ledger: Ledger, candidate: Measurement) -> Verdict | Again:
    """Rule ``single``: KEEP what is strictly better than the incumbent in one run."""
    if candidate.score is None:
        return Verdict(Status.CRASH, candidate.reason)
    incumbent = ledger.incumbent
    assert incumbent.score is not None  # a KEEP was measured
    difference = candidate.score - incumbent.score
    against = f"{incumbent.id} ({score_text(incumbent.score)})"
    if ledger.contract.direction.better(candidate.score, incumbent.score):
        return Verdict(Status.KEEP, f"better than {against} by {score_text(abs(difference))}")
    if difference == 0:
        return Verdict(Status.DISCARD, f"equal to {against}")
    return Verdict(Status.DISCARD, f"worse than {against} by {score_text(abs(difference))}")
