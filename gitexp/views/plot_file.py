"""The running best as a picture, for slides: PNG, SVG or PDF, by Matplotlib."""

from __future__ import annotations

from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.extras import extra
from gitexp.ledger.ledger import Ledger
from gitexp.model import Status
from gitexp.text import one_line

FORMATS = (".png", ".svg", ".pdf")
TITLE = 100  # characters
LOOKS = {Status.KEEP: ("o", "#1a7f37"), Status.DISCARD: ("x", "#8c959f"), Status.CRASH: ("v", "#cf222e")}


def save(ledger: Ledger, file: Path) -> None:
    """Draw the running best, and each iteration as a point. DISCARDs far off are left out, CRASHes stand at the edge.

    Raises where Matplotlib is not installed, or the file's ending is none of ``FORMATS``.
    """
    if file.suffix.lower() not in FORMATS:
        raise GitexpError(f"{file} is no picture that can be drawn: {', '.join(FORMATS)}.", "gitexp plot -o best.png")
    mpl = extra("matplotlib", "A picture", "plot")
    mpl.rcParams["svg.hashsalt"] = ledger.name  # the same history gives the same file
    figure = extra("matplotlib.figure", "A picture", "plot").Figure(figsize=(9, 4.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    best = ledger.running_best()
    axes.step([i.number for i in ledger.iterations], best, where="post", color="#1a7f37", linewidth=1.8, zorder=2)
    low, high = min(best), max(best)
    margin = (high - low) * 0.15 or abs(high) * 0.05 or 1.0
    axes.set_ylim(low - margin, high + margin)
    for status, (mark, color) in LOOKS.items():
        shown = [i for i in ledger.iterations if i.status is status]
        scores = [i.score if i.score is not None else low - margin for i in shown]
        label = f"{status.value} ({len(shown)})"
        axes.scatter([i.number for i in shown], scores, marker=mark, c=color, s=28, label=label, zorder=3)
    axes.set_title(_plain(one_line(ledger.notes.goal or ledger.name, TITLE)), loc="left")
    axes.set_xlabel("iteration")
    axes.set_ylabel(_plain(f"{ledger.contract.metric} ({ledger.contract.direction.value})"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.legend(frameon=False, loc="best")
    figure.savefig(file, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)


def _plain(text: str) -> str:
    """Matplotlib takes a pair of dollars for mathematics."""
    return text.replace("$", r"\$")
