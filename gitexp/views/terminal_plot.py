"""Curves as text, in braille dots: for a terminal, and for whatever else shows text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitexp.ledger.ledger import Ledger
from gitexp.model import Status, score_text
from gitexp.run.curve import Point
from gitexp.text import thinned

if TYPE_CHECKING:
    from plotille import Figure

LABELS = 14  # columns of the values at the left
BLOCKS = "▁▂▃▄▅▆▇█"
FARTHEST = 1e100  # scores that are further from 0 are drawn there
SPARK = 40  # columns
ROUND = 0.2  # a tick that is further than this from a whole number gets no label
MARKS = {Status.KEEP: "●", Status.DISCARD: "·"}


def running_best(ledger: Ledger, width: int, height: int) -> list[str]:
    """The incumbent's score after each iteration, and each iteration's own: a disc for a KEEP, a dot for a DISCARD.

    At most ``height`` lines of ``width`` columns. DISCARDs far off are left out: they would flatten the curve.
    """
    best, end = [*map(drawn, ledger.running_best())], 1.02 * max(ledger.iterations[-1].number, 1)
    low, high = _span(best)
    figure = _figure(width, height, (0, end), (low, high))
    starts = [float(iteration.number) for iteration in ledger.iterations]
    ends = [*starts[1:], end]  # each score holds until the next iteration
    figure.plot([x for pair in zip(starts, ends, strict=True) for x in pair], [y for y in best for _ in range(2)])
    for status, mark in MARKS.items():
        shown = [(i.number, drawn(i.score)) for i in ledger.iterations if i.status is status and i.score is not None]
        shown = [(x, y) for x, y in shown if low <= y <= high]
        if shown:
            figure.scatter([x for x, _ in shown], [y for _, y in shown], marker=mark)
    return _lines(figure)


def sparkline(ledger: Ledger) -> str:
    """The running best in one line, from the baseline (at the bottom) to the best (at the top)."""
    shown = thinned([*map(drawn, ledger.running_best())], SPARK)
    whole = shown[-1] - shown[0]
    # A score may lie outside: by hand anything can be made a KEEP.
    heights = [min(1.0, max(0.0, (value - shown[0]) / whole)) if whole else 0.0 for value in shown]
    return "".join(BLOCKS[round((len(BLOCKS) - 1) * height)] for height in heights)


def loss(curve: Sequence[Point], width: int, height: int) -> list[str]:
    """A run's loss over its progress lines, in ``height`` lines of ``width`` columns; nothing for fewer than two."""
    if len(curve) < 2:
        return []
    losses = [drawn(point.loss) for point in curve]
    low, high = _span(losses)
    figure = _figure(width, height, (0, len(curve) - 1), (low, high))
    figure.plot(range(len(curve)), losses)
    return _lines(figure)[:-2]  # without the values below: the points are numbered, not timed


def drawn(value: float) -> float:
    """The value, within limits between which differences are finite."""
    return max(-FARTHEST, min(FARTHEST, value))


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _figure(width: int, height: int, x: tuple[float, float], y: tuple[float, float]) -> Figure:
    from plotille import Figure  # 7 ms, and numpy's import when it draws: `log` pays for neither

    figure = Figure()
    figure.width, figure.height = max(10, width - LABELS), max(2, height - 3)
    figure.with_colors, figure.origin = False, False
    figure.set_x_limits(*x)
    figure.set_y_limits(*y)
    figure.x_label, figure.y_label = "", ""
    figure.register_label_formatter(float, _label)
    return figure


def _label(value: float, chars: int, delta: float, left: bool = False) -> str:
    """A tick's label. plotille says ``left`` for the ticks below the plot: those are iterations, whole numbers."""
    if left:
        return (f"{value:.0f}" if abs(value - round(value)) < ROUND else "").ljust(chars)
    return score_text(value)[:chars].rjust(chars)


def _lines(figure: Figure) -> list[str]:
    """The plot's lines, without the arrows at the ends of its axes."""
    return [line.removesuffix("-> ()").rstrip(" ⠀") for line in figure.show().splitlines()[1:]]
