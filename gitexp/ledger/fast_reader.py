"""Most messages of iterations, read by one regular expression: a history of 100,000 is read in seconds.

It knows the form in which :mod:`gitexp.ledger.messages` writes a KEEP or a DISCARD without notes, and nothing else:
``None`` means that :mod:`gitexp.ledger.trailers` has to look. A test holds the two to the same answer.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from gitexp.ledger.columns import KEEP, Row
from gitexp.ledger.row import line, told
from gitexp.model import Candidate, Contract, Iteration, Measurement, Notes, Sample, Status, Verdict
from gitexp.text import from_bytes

_NUMBER = r"-?[0-9]{1,17}(?:\.[0-9]{1,25})?(?:e[+-]?[0-9]{1,2})?"  # always finite
_TEXT = r'[^\s"](?:[^\n]*\S)?'  # as it stands: neither quoted nor with spaces around it
_MESSAGE = rf"""exp[0-9]{{3,9}}\ (?:KEEP|DISCARD)(?:\ [^:\s]+)?:\ (?P<description>[^\n]*)\n\n
    Exp-Id:\ (?P<id>exp[0-9]{{3,9}})\n
    Exp-Run:\ (?P<run>\w+)\n
    Exp-Base:\ (?P<base>\w+)\n
    Exp-Tree:\ (?P<tree>\w+)\n
    Exp-Status:\ (?P<status>KEEP|DISCARD)\n
    Exp-Score:\ (?P<score>{_NUMBER})\n
    (?P<metrics>(?:Exp-Metric:\ [^\s"=][^\s=]*={_NUMBER}\n)*)
    (?:Exp-Test:\ (?P<test>{_NUMBER})\n)?
    (?:Exp-Memory-MB:\ (?P<memory>{_NUMBER})\n)?
    Exp-Seconds:\ {_NUMBER}\n
    Exp-Seed:\ [0-9]+\n
    (?P<samples>(?:Exp-Sample:\ \w+\ seed=[0-9]+\ seconds={_NUMBER}\ score={_NUMBER}\n)+)
    (?:Exp-Curve:\ (?P<curve>[0-9]+={_NUMBER}(?:\ [0-9]+={_NUMBER})*)\n)?
    (?:Exp-Device:\ (?P<device>{_TEXT})\n)?
    (?:Exp-Data:\ (?P<data>{_TEXT})\n)?
    (?:Exp-Delta:\ (?P<delta>{_NUMBER})\n)?
    (?P<changes>(?:Exp-Change:\ {_TEXT}\n)*)
    (?P<params>(?:Exp-Param:\ [^\s"=]+={_TEXT}\n)*)
    (?:Exp-Patch:\ (?P<patch>\w+)\n)?
    Exp-Reason:\ (?P<reason>{_TEXT})\n"""
_SAMPLE = re.compile(r"Exp-Sample: (\S+) seed=(\S+) seconds=(\S+) score=(\S+)\n")
_METRIC = re.compile(r"Exp-Metric: ([^=]+)=(.*)\n")
_TENTH = re.compile(r"(\S+)=(\S+)")
_CHANGE = re.compile(r"Exp-Change: (.*)\n")
_PARAM = re.compile(r"Exp-Param: ([^=]+)=(.*)\n")
_NO_NOTES = Notes()
DISCARD = Status.DISCARD.letter


@cache
def _message() -> re.Pattern[str]:
    """Made where it pays: that takes as long as to read fifty messages the long way."""
    return re.compile(_MESSAGE, re.ASCII | re.VERBOSE)


class QuickRead(NamedTuple):
    """What a whole history is read for: what goes into the columns, and into results.tsv."""

    id: str
    base: str
    tree: str
    row: Row
    told: str
    samples: tuple[Sample, ...] = ()  # where they tell something of the noise: more than one, or the incumbent's
    notes: Notes = _NO_NOTES
    contract: Contract | None = None
    iteration: Iteration | None = None  # where the message was read the long way


def of(iteration: Iteration) -> QuickRead:
    samples = iteration.measurement.samples
    return QuickRead(
        iteration.id,
        iteration.base,
        iteration.tree,
        Row.of(iteration),
        told(iteration),
        samples if iteration.status is Status.KEEP or len(samples) > 1 else (),
        iteration.notes,
        iteration.contract,
        iteration,
    )


def glance(message: bytes, commit: str) -> QuickRead | None:
    """At a message in the common form; ``None`` for any other message."""
    found = _message().fullmatch(from_bytes(message))
    if found is None:
        return None
    identity, base, tree, status, said, number, test, memory, delta, patch, description = found.group(
        "id", "base", "tree", "status", "samples", "score", "test", "memory", "delta", "patch", "description"
    )
    samples = _SAMPLE.findall(said)
    score, tested = float(number), None if test is None else float(test)
    kept = status == "KEEP"
    return QuickRead(
        identity,
        base,
        tree,
        Row(
            KEEP if kept else DISCARD,
            int(identity[3:]),
            False,
            score,
            None if delta is None else float(delta),
            tested,
            patch or "",
        ),
        line(
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


def _sample(found: tuple[str, str, str, str]) -> Sample:
    of, seed, seconds, score = found
    return Sample(of, int(seed), float(seconds), float(score))


def read(message: bytes, commit: str) -> Iteration | None:
    """The iteration that a message in the common form records; ``None`` for any other message."""
    found = _message().fullmatch(from_bytes(message))
    if found is None:
        return None
    field = found.group
    score, test, memory, delta = [
        None if text is None else float(text) for text in field("score", "test", "memory", "delta")
    ]
    metrics, curve, changes, params = field("metrics", "curve", "changes", "params")
    measurement = Measurement(
        samples=tuple(map(_sample, _SAMPLE.findall(field("samples")))),
        score=score,
        metrics=tuple([(name, float(value)) for name, value in _METRIC.findall(metrics)]) if metrics else (),
        test=test,
        memory_mb=memory,
        device=field("device") or "",
        data=field("data") or "",
        curve=tuple([(int(tenth), float(loss)) for tenth, loss in _TENTH.findall(curve)]) if curve else (),
    )
    candidate = Candidate(
        id=field("id"),
        run=field("run"),
        base=field("base"),
        tree=field("tree"),
        description=field("description"),
        notes=_NO_NOTES,
        changes=tuple(_CHANGE.findall(changes)) if changes else (),
        patch=field("patch") or "",
        params=tuple(_PARAM.findall(params)) if params else (),
    )
    return Iteration(candidate, Verdict(Status(field("status")), field("reason"), delta), measurement, commit)
