"""Iterations as text for a terminal, and as tab-separated values."""

from __future__ import annotations

import shutil

import click

from gitexp.model import Iteration, Status, score_text, signed
from gitexp.text import one_line

COLORS = {Status.KEEP: "green", Status.DISCARD: "yellow", Status.CRASH: "red"}
HEADERS = ("id", "verdict", "score", "delta", "memory", "seconds", "description")
Row = tuple[Iteration, "float | None"]


def cells(row: Row) -> list[str]:
    iteration, delta = row
    memory = iteration.measurement.memory_mb
    return [
        iteration.id,
        iteration.status.value,
        score_text(iteration.score),
        signed(delta),
        "" if memory is None else f"{memory:.1f}",
        f"{iteration.measurement.seconds:.1f}",
        one_line(iteration.description),
    ]


def table(shown: list[Row], width: int = 0) -> str:
    """A table as wide as the terminal, or ``width``; numbers on the right, the verdict in colour."""
    lines = [list(HEADERS), *map(cells, shown)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADERS) - 1)]
    room = max(20, (width or shutil.get_terminal_size((120, 24)).columns) - sum(widths) - 2 * len(widths))
    out = []
    for line, row in zip(lines, [None, *shown], strict=True):
        parts = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=False))]
        if row:
            parts[1] = click.style(parts[1], fg=COLORS[row[0].status])
        out.append("  ".join([*parts, one_line(line[-1], room)]).rstrip())
    return "\n".join(out)


def tsv(shown: list[Row]) -> str:
    return "\n".join("\t".join(line) for line in [list(HEADERS), *map(cells, shown)])


def columns(lines: list[list[str]], left: int) -> str:
    """Cells in columns: the first ``left`` and the last column start on the left, the others end on the right."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    widths[-1] = 0
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at < left or at == len(line) - 1 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
