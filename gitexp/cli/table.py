"""Iterations as text for a terminal, and as tab-separated values."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import click

from gitexp.model import Iteration, Status, score_text, signed
from gitexp.text import one_line, text_cell

COLORS = {Status.KEEP: "green", Status.DISCARD: "yellow", Status.CRASH: "red"}
HEADERS = ("id", "verdict", "score", "delta", "memory", "seconds", "description")


def cells(iteration: Iteration) -> list[str]:
    """An iteration as the cells of a row, one for each of ``HEADERS``."""
    memory = iteration.measurement.memory_mb
    return [
        iteration.id,
        iteration.status.value,
        score_text(iteration.score),
        signed(iteration.delta),
        "" if memory is None else f"{memory:.1f}",
        f"{iteration.measurement.seconds:.1f}",
        one_line(iteration.description),
    ]


def table(shown: Sequence[Iteration], width: int = 0) -> str:
    """The iterations as a table of ``width`` columns (0: of the terminal's); its verdicts are coloured."""
    lines = [list(HEADERS), *map(cells, shown)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADERS) - 1)]
    room = max(20, (width or shutil.get_terminal_size((120, 24)).columns) - sum(widths) - 2 * len(widths))
    out = []
    for line, iteration in zip(lines, [None, *shown], strict=True):
        parts = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=False))]
        if iteration:
            parts[1] = click.style(parts[1], fg=COLORS[iteration.status])
        out.append("  ".join([*parts, one_line(line[-1], room)]).rstrip())
    return "\n".join(out)


def tsv(shown: Sequence[Iteration]) -> str:
    """The iterations as tab-separated values, with a line of headers."""
    return "\n".join("\t".join([*line[:-1], text_cell(line[-1])]) for line in [list(HEADERS), *map(cells, shown)])


def columns(lines: list[list[str]], left: int) -> str:
    """Cells as aligned columns: the first ``left`` ones and the last are left-aligned, the others right-aligned."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    widths[-1] = 0
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at < left or at == len(line) - 1 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
