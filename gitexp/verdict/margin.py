"""The rules ``single`` and ``margin``: one run decides."""

from __future__ import annotations

from dataclasses import dataclass

from gitexp.ledger.ledger import Ledger
from gitexp.model import Measurement, Status, Verdict, score_text
from gitexp.text import plural
from gitexp.verdict.parameters import number, unreadable


@dataclass(frozen=True, slots=True)
class Margin:
    """KEEP what leads by more than ``margin``, in units of the score. ``single`` is the margin 0."""

    margin: float = 0.0

    @classmethod
    def parse(cls, rule: str) -> Margin:
        """The rule ``single``, or ``margin X``."""
        name, *words = rule.split()
        if len(words) != (name == "margin"):
            raise unreadable(rule, "it is written 'single', or 'margin 0.01'")
        return cls(number(rule, words[0])) if words else cls()

    def __str__(self) -> str:
        return f"margin {self.margin!r}" if self.margin else "single"

    @property
    def baseline_runs(self) -> int:
        """How often the baseline is run."""
        return 1

    def decide(self, ledger: Ledger, candidate: Measurement, simpler: int) -> Verdict:
        """The verdict on a candidate that was run once, as :func:`gitexp.verdict.rules.decide` gives it."""
        incumbent = ledger.incumbent
        assert candidate.score is not None
        assert incumbent.score is not None  # a KEEP was measured
        delta = candidate.score - incumbent.score
        lead = ledger.contract.direction.sign * delta
        against = f"{incumbent.id} ({score_text(incumbent.score)})"
        kept = lead >= 0 if simpler else lead > self.margin
        return Verdict(Status.KEEP if kept else Status.DISCARD, self._reason(lead, simpler, against), delta, lead)

    def _reason(self, lead: float, simpler: int, against: str) -> str:
        if lead >= 0 and simpler:
            return f"{plural(simpler, 'line')} simpler at no loss against {against}"
        if lead == 0:
            return f"equal to {against}"
        difference = f"{'better' if lead > 0 else 'worse'} than {against} by {score_text(abs(lead))}"
        return f"{difference}, not more than {self.margin:g}" if 0 < lead <= self.margin else difference
