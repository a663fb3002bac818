"""Most messages of iterations, read by one regular expression: a history of 100,000 is read in seconds.

It knows the usual form, in which :mod:`gitexp.ledger.messages` writes a KEEP or a DISCARD without notes, and nothing
else: ``None`` means that :mod:`gitexp.ledger.messages` has to read it. A test holds the two to the same answer.
The expression is made of the table in :mod:`gitexp.ledger.trailers`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from gitexp.ledger.columns import KEEP, ColumnEntry
from gitexp.ledger.row import join_cells, row_text
from gitexp.ledger.trailers import ITERATION, Part, Trailer
from gitexp.model import ID, Candidate, Contract, Iteration, Measurement, Notes, Sample, Status, Verdict
from gitexp.text import from_bytes

_SUBJECT = rf"{ID} (?:KEEP|DISCARD)(?: [^:\s]+)?: (?P<description>[^\n]*)\n\n"
_FIELDS = [  # of a usual message, and where in a line the value begins, if there can be more than one
    (trailer.part, trailer.field, trailer.form.read, len(f"{trailer.key}: ") if trailer.form.repeats else 0)
    for trailer in ITERATION
    if trailer.usually and not trailer.computed
]
_SAMPLE = re.compile(r"Exp-Sample: (\S+) seed=(\S+) seconds=(\S+) score=(\S+)\n")
_NO_NOTES = Notes()
DISCARD = Status.DISCARD.letter


@cache
def _message() -> re.Pattern[str]:
    """The expression of a usual message. To compile it takes as long as to read fifty messages the long way."""
    return re.compile(_SUBJECT + "".join(_line(trailer) for trailer in ITERATION if trailer.usually))


def _line(trailer: Trailer) -> str:
    """The lines of a trailer in a usual message, its value in a group of its field's name."""
    value = trailer.form.usual
    if trailer.computed:
        return f"{trailer.key}: (?:{value})\n"
    if trailer.form.repeats:
        return f"(?P<{trailer.field}>(?:{trailer.key}: {value}\n){trailer.usually})"
    return f"(?:{trailer.key}: (?P<{trailer.field}>{value})\n){trailer.usually}"


class QuickRead(NamedTuple):
    """What of an iteration is needed where a whole history is read: for the columns, and for results.tsv."""

    id: str
    base: str
    tree: str
    entry: ColumnEntry
    row_text: str
    samples: tuple[Sample, ...] = ()  # where they say something of the noise: more than one, or the incumbent's
    notes: Notes = _NO_NOTES
    contract: Contract | None = None
    iteration: Iteration | None = None  # where the message was read the long way

    @classmethod
    def of(cls, iteration: Iteration) -> QuickRead:
        samples = iteration.measurement.samples
        return cls(
            iteration.id,
            iteration.base,
            iteration.tree,
            ColumnEntry.of(iteration),
            row_text(iteration),
            samples if iteration.status is Status.KEEP or len(samples) > 1 else (),
            iteration.notes,
            iteration.contract,
            iteration,
        )


def quick_read(message: bytes, commit: str) -> QuickRead | None:
    """What a message in the usual form says of the iteration ``commit``; ``None`` for any other message."""
    match = _message().fullmatch(from_bytes(message))
    if match is None:
        return None
    identity, base, tree, status, sample_lines, number, test, memory, delta, patch, description = match.group(
        "id", "base", "tree", "status", "samples", "score", "test", "memory_mb", "delta", "patch", "description"
    )
    samples = _SAMPLE.findall(sample_lines)
    score, tested = float(number), None if test is None else float(test)
    kept = status == "KEEP"
    return QuickRead(
        identity,
        base,
        tree,
        ColumnEntry(
            KEEP if kept else DISCARD,
            int(identity[3:]),
            False,
            score,
            None if delta is None else float(delta),
            tested,
            patch or "",
        ),
        join_cells(
            identity,
            score,
            tested,
            None if memory is None else float(memory),
            status,
            description,
            commit,
            sum([float(seconds) for _, _, seconds, _ in samples]),
            len(samples),
        ),
        tuple(map(_sample, samples)) if kept or len(samples) > 1 else (),
    )


def _sample(words: tuple[str, str, str, str]) -> Sample:
    of, seed, seconds, score = words
    return Sample(of, int(seed), float(seconds), float(score))


def read(message: bytes, commit: str) -> Iteration | None:
    """The iteration that a message in the usual form records; ``None`` for any other message."""
    match = _message().fullmatch(from_bytes(message))
    if match is None:
        return None
    fields: dict[Part, dict[str, Any]] = {"candidate": {}, "verdict": {}, "measurement": {}}
    for part, field, read_form, start in _FIELDS:
        if text := match[field]:
            texts = tuple([line[start:] for line in text.split("\n")[:-1]]) if start else (text,)
            fields[part][field] = read_form(texts)
    candidate = Candidate(**fields["candidate"], description=match["description"])
    return Iteration(candidate, Verdict(**fields["verdict"]), Measurement(**fields["measurement"]), commit)
