"""An iteration as a line of results.tsv, as far as its own commit tells it: nothing that other commits may change."""

from __future__ import annotations

from gitexp.model import Iteration, score_text
from gitexp.text import one_line, short

COLUMNS = "id metric val_score test_score memory_mb status description commit seconds samples".split()


def cells(iteration: Iteration) -> dict[str, str]:
    """By column, those of its row that its own trailers give."""
    identity, score, _, memory, status, description, _, seconds, samples = told(iteration).split("\t")
    return {
        "id": identity,
        "val_score": score,
        "memory_mb": memory,
        "status": status,
        "description": description,
        "seconds": seconds,
        "samples": samples,
    }


def told(iteration: Iteration) -> str:
    m = iteration.measurement
    return line(
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


def line(
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
    """What is told of an iteration, tab-separated."""
    used = "" if memory is None else f"{memory:.1f}"
    return (
        f"{identity}\t{score_text(score)}\t{score_text(test)}\t{used}\t{status}\t{one_line(description)}\t"
        f"{short(commit)}\t{seconds:.1f}\t{samples}"
    )
