"""The running best as a picture, for slides: PNG, SVG or PDF, by Matplotlib."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.errors import GitexpError
from gitexp.extras import needs_extra
from gitexp.files import write_output
from gitexp.ledger.ledger import Ledger
from gitexp.model import Status
from gitexp.text import one_line
from gitexp.views.terminal_plot import drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
TITLE = 100  # characters
MARKS = {Status.KEEP: ("o", "#1a7f37"), Status.DISCARD: ("x", "#8c959f"), Status.CRASH: ("v", "#cf222e")}


def save(ledger: Ledger, file: Path) -> None:
    """Write a picture of the running best, with a point for each iteration, to ``file``.

    DISCARDs far off are left out; CRASHes stand at the lower edge. The same history gives the same SVG. Raises
    :class:`GitexpError` where the file's ending is not one of ``FORMATS``, or Matplotlib is not installed.
    """
    if file.suffix.lower() not in FORMATS:
        *others, last = FORMATS
        raise GitexpError(f"Cannot write {file}: use {', '.join(others)} or {last}.", "gitexp plot -o best.png")
    with needs_extra("A picture", "plot"):
        import matplotlib
        from matplotlib.figure import Figure
    matplotlib.rcParams["svg.hashsalt"] = ledger.name
    figure = Figure(figsize=(9, 4.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    _draw(ledger, axes)
    _label(ledger, axes)
    picture, form = BytesIO(), file.suffix.lower()[1:]
    figure.savefig(picture, format=form, metadata={"Date": None} if form == "svg" else None)
    write_output(file, picture.getvalue())


def _draw(ledger: Ledger, axes: Axes) -> None:
    best = [*map(drawn, ledger.running_best())]
    axes.step([i.number for i in ledger.iterations], best, where="post", color="#1a7f37", linewidth=1.8, zorder=2)
    low, high = min(best), max(best)
    margin = (high - low) * 0.15 or abs(high) * 0.05 or 1.0
    axes.set_ylim(low - margin, high + margin)
    for status, (mark, color) in MARKS.items():
        shown = [i for i in ledger.iterations if i.status is status]
        scores = [drawn(i.score) if i.score is not None else low - margin for i in shown]
        label = f"{status.value} ({len(shown)})"
        axes.scatter([i.number for i in shown], scores, marker=mark, c=color, s=28, label=label, zorder=3)


def _label(ledger: Ledger, axes: Axes) -> None:
    axes.set_title(_plain(one_line(ledger.notes.goal or ledger.name, TITLE)), loc="left")
    axes.set_xlabel("iteration")
    axes.set_ylabel(_plain(f"{ledger.contract.metric} ({ledger.contract.direction.value})"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.legend(frameon=False, loc="best")


def _plain(text: str) -> str:
    """The text as it is: Matplotlib would set what stands between two dollars as mathematics."""
    return text.replace("$", r"\$")
