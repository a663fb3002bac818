"""The closing paragraph of a loop: why it ended, what it tried, what helped, and what to try next."""

from __future__ import annotations

from gitexp.loop.loop import LoopResult
from gitexp.model import Status, score_text, signed
from gitexp.text import duration

IDEAS = 3  # ideas that the paragraph names


def closing_summary(result: LoopResult, what: str) -> str:
    """The paragraph as one line. ``what`` ended: a loop or a sweep. It holds text of people and agents."""
    ideas = "; ".join((result.ledger.notes.next or ())[:IDEAS])
    sentences = [
        f"The {what} ended because {result.why}, after {duration(result.seconds)}.",
        *_what_was_tried(result),
        f"Next to try: {ideas}." if ideas else "Next: gitexp brief has the whole picture.",
    ]
    return " ".join(sentences)


def _what_was_tried(result: LoopResult) -> list[str]:
    steps = result.steps
    if not steps:
        return []
    counts = ", ".join(f"{sum(i.status is status for i in steps)} {status.value}" for status in Status)
    crashes = [i for i in steps if i.status is Status.CRASH]
    sentences = [f"It tried {len(steps)}: {counts}.", _what_helped(result)]
    if crashes:
        sentences.append(f"The last crash, {crashes[-1].id}: {crashes[-1].reason}.")
    return sentences


def _what_helped(result: LoopResult) -> str:
    ledger, kept = result.ledger, [i for i in result.steps if i.status is Status.KEEP]
    before = ledger.met_by(result.steps[0])
    if not kept or before is None:
        return f"Nothing beat {ledger.incumbent.id} ({score_text(ledger.incumbent.score)})."
    best = max(kept, key=lambda iteration: abs(iteration.delta or 0))
    return (
        f"{ledger.contract.metric} went from {score_text(before.score)} to {score_text(ledger.incumbent.score)}; what "
        f"helped most is {best.id} ({signed(best.delta)}): {best.description}."
    )
