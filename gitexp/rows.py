"""The rows of results.tsv: what is said of an iteration whatever happened to others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitexp.model import Iteration, Ledger, score_text
from gitexp.text import one_line

RESULTS = "results.tsv"
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
    """Tab-separated: id, score, held-out score, memory, status, description, commit, seconds, samples."""
    m = iteration.measurement
    memory = "" if m.memory_mb is None else f"{m.memory_mb:.1f}"
    return (
        f"{iteration.id}\t{score_text(m.score)}\t{score_text(m.test)}\t{memory}\t{iteration.status.value}\t{one_line(iteration.description)}\t"
        f"{iteration.commit[:HASH_LENGTH]}\t{m.seconds:.1f}\t{len(m.samples)}"
    )


def _told(ledger: Ledger) -> Iterable[str]:
    """Of all iterations; where they have just been read it is known."""
    known = getattr(ledger.iterations, "told", ())
    return known or map(told, ledger.iterations)
