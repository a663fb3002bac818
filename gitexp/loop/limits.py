"""What ends a loop by itself: limits on its steps, its hours, the score and the patience."""

from __future__ import annotations

from dataclasses import dataclass

from gitexp.ledger.columns import KEEP
from gitexp.ledger.ledger import Ledger
from gitexp.model import score_text
from gitexp.text import plural

STOP = "STOP"  # a file of this name at the top of the work tree ends the loop; a proposer may make it, too

FAILURES = 3  # rounds in a row without a step, after which every loop ends


@dataclass(frozen=True, slots=True)
class Limits:
    """When a loop ends; ``None`` sets no limit."""

    steps: int | None = None  # of this run
    hours: float | None = None  # of this run; the step that is under way then is finished
    until: float | None = None  # a score of the incumbent that is good enough
    patience: int | None = None  # steps in a row without a KEEP, counted in the history
    pause: float = 0.0  # seconds between two steps

    def reached(self, ledger: Ledger, steps: int, seconds: float, failures: int) -> str:
        """The limit that is reached, to follow "The loop ended because"; empty for none.

        ``steps`` and ``seconds`` belong to this run; ``failures`` are the rounds since its last step.
        """
        score, dry = ledger.incumbent.score, steps_without_keep(ledger)
        assert score is not None  # a KEEP was measured
        hours = seconds / 3600
        is_good = self.until is not None and not ledger.contract.direction.better(self.until, score)
        reached = {
            f"{ledger.contract.metric} has reached {score_text(self.until)}": is_good,
            f"{plural(self.steps or 0, 'step')} {'was' if self.steps == 1 else 'were'} asked for": self.steps
            is not None
            and steps >= self.steps,
            f"{self.hours or 0:g} hours were asked for": self.hours is not None and hours >= self.hours,
            f"the last {dry} steps brought no KEEP": self.patience is not None and dry >= self.patience,
            f"{failures} rounds in a row brought nothing to run": failures >= min(FAILURES, self.patience or FAILURES),
        }
        return next((limit for limit, is_reached in reached.items() if is_reached), "")


def steps_without_keep(ledger: Ledger) -> int:
    """How many iterations there are since the last KEEP."""
    return len(ledger.iterations) - 1 - ledger.columns.statuses.rindex(KEEP)
