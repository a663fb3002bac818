"""The rows of results.tsv: what is said of an iteration whatever happened to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, score_text
from gitexp.text import one_line

COLUMNS = "id metric val_score test_score memory_mb status description commit seconds samples".split()
HASH_LENGTH = 10  # fixed: git's own abbreviation depends on what else a repository holds


def results_tsv(ledger: Ledger) -> str:
    """One row an iteration, the columns in the order people's scripts read them; no quoting; a CRASH has no score."""
    return "\t".join(COLUMNS) + "\n" + rows(ledger, _told(ledger))


def rows(ledger: Ledger, said: Iterable[str]) -> str:
    """The rows of iterations by what is told of each."""
    metric = one_line(ledger.contract.metric)
    looks = {remark.of: score_text(remark.score) for remark in reversed(ledger.remarks) if remark.score is not None}
    return "".join(_row(each, metric, looks) for each in said)


def _row(said: str, metric: str, looks: Mapping[str, str]) -> str:
    """``looks`` are the first looks at the held-out split that were taken after the run."""
    identity, score, test, rest = said.split("\t", 3)
    return f"{identity}\t{metric}\t{score}\t{test or looks.get(identity, '')}\t{rest}\n"


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
        f"{commit[:HASH_LENGTH]}\t{seconds:.1f}\t{samples}"
    )


def _told(ledger: Ledger) -> Iterable[str]:
    """Of all iterations; where they have just been read it is known."""
    known = getattr(ledger.iterations, "told", ())
    return known or map(told, ledger.iterations)
