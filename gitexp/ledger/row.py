"""The columns of results.tsv, and an iteration's row in them: the cells that its own commit fixes.

A new column begins here.
"""

from __future__ import annotations

from gitexp.model import Iteration, score_text
from gitexp.text import one_line, short, text_cell

COLUMNS = "id metric val_score test_score memory_mb status description commit seconds samples".split()


def cells(iteration: Iteration) -> dict[str, str]:
    """By column, the cells of an iteration's row that its own trailers alone decide."""
    identity, score, _, memory, status, description, _, seconds, samples = row_text(iteration).split("\t")
    return {
        "id": identity,
        "val_score": score,
        "memory_mb": memory,
        "status": status,
        "description": description,
        "seconds": seconds,
        "samples": samples,
    }


def row_text(iteration: Iteration) -> str:
    """The row of an iteration, tab-separated, without the metric's name."""
    m = iteration.measurement
    return join_cells(
        iteration.id,
        m.score,
        m.test,
        m.memory_mb,
        iteration.status.value,
        iteration.description,
        iteration.commit,
        m.seconds,
        len(m.samples),
    )


def join_cells(
    identity: str,
    score: float | None,
    test: float | None,
    memory: float | None,
    status: str,
    description: str,
    commit: str,
    seconds: float,
    samples: int,
) -> str:
    """As :func:`row_text`, of values: memory in the unit that the run printed, and seconds of all runs."""
    memory_text = "" if memory is None else f"{memory:.1f}"
    return (
        f"{identity}\t{score_text(score)}\t{score_text(test)}\t{memory_text}\t{status}\t{text_cell(one_line(description))}\t"
        f"{short(commit)}\t{seconds:.1f}\t{samples}"
    )
