"""Iterations as commit messages, and commit messages as iterations. The grammar is in :mod:`gitexp.ledger.trailers`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from gitexp.errors import GitexpError
from gitexp.git import provenance
from gitexp.ledger import trailers
from gitexp.ledger.trailers import Message
from gitexp.model import (
    Candidate,
    Contract,
    Direction,
    Frozen,
    Iteration,
    Measurement,
    Notes,
    Remark,
    Sample,
    Status,
    Verdict,
    headline,
    number,
    score_text,
)
from gitexp.text import one_line

SUBJECT_LIMIT = 200  # characters of the description in the subject; a longer one stands whole in the text below it
_SUBJECT = re.compile(r"exp[0-9]{3,9} (?:KEEP|DISCARD|CRASH)(?: [^:\s]+)?: (.*)")
_ID = re.compile(r"exp[0-9]{3,9}")


def describe(text: str) -> tuple[str, str]:
    """What a person wrote for ``-m`` as a one-line description, and the text to keep below it, if any."""
    first, _, rest = text.strip().partition("\n")
    cut = len(one_line(first)) > SUBJECT_LIMIT
    return one_line(first, SUBJECT_LIMIT), text.strip() if cut else rest.strip()


def to_message(iteration: Iteration) -> bytes:
    return trailers.write(headline(iteration), iteration.candidate.body, _pairs(iteration))


def revert_message(iteration: Iteration, commit: str) -> bytes:
    """What ``git revert`` would write."""
    return provenance.revert_message(headline(iteration), commit)


def remark_message(remark: Remark) -> bytes:
    subjects = {
        "breaker": f"Reset the circuit breaker after {remark.of}: {one_line(remark.text, SUBJECT_LIMIT)}",
        "test": f"Test {remark.of}: {score_text(remark.score)}",
    }
    pairs = [("Exp-Remark", f"{remark.kind} {remark.of}"), ("Exp-Base", remark.base)]
    if remark.text:
        pairs.append(("Exp-Note", remark.text))
    if remark.score is not None:
        pairs.append(("Exp-Test", repr(remark.score)))
    return trailers.write(subjects[remark.kind], "", pairs)


def remark_from(message: Message, commit: str) -> Remark | None:
    """The remark a commit message records; ``None`` when it records none."""
    try:
        kind, of = (message.first("Exp-Remark") or "").split(" ")
        number(of)
        score = _number(message, "Exp-Test")
        return Remark(kind, of, message.first("Exp-Note") or "", score, _required(message, "Exp-Base"), commit)
    except (ValueError, LookupError):
        return None


def _pairs(iteration: Iteration) -> Iterator[tuple[str, str]]:
    if iteration.contract:
        yield "Exp-Format", trailers.FORMAT
    yield "Exp-Id", iteration.id
    yield "Exp-Run", iteration.candidate.run
    yield "Exp-Base", iteration.base
    yield "Exp-Tree", iteration.tree
    yield "Exp-Status", iteration.status.value
    yield from _measurement_pairs(iteration.measurement)
    if iteration.delta is not None:
        yield "Exp-Delta", f"{iteration.delta:.12g}"
    for thing in iteration.candidate.changes:
        yield "Exp-Change", thing
    for name, value in iteration.candidate.params:
        yield "Exp-Param", f"{name}={value}"
    if iteration.candidate.simpler:
        yield "Exp-Simpler", str(iteration.candidate.simpler)
    if iteration.candidate.patch:
        yield "Exp-Patch", iteration.candidate.patch
    yield "Exp-Reason", one_line(iteration.reason)
    yield from _notes_pairs(iteration.notes)
    if iteration.contract:
        yield from _contract_pairs(iteration.contract)


def _measurement_pairs(m: Measurement) -> Iterator[tuple[str, str]]:
    if m.score is not None:
        yield "Exp-Score", repr(m.score)
    for name, value in m.metrics:
        yield "Exp-Metric", f"{name}={int(value) if value.is_integer() else value!r}"
    if m.test is not None:
        yield "Exp-Test", repr(m.test)
    if m.memory_mb is not None:
        yield "Exp-Memory-MB", f"{m.memory_mb:.1f}"
    yield "Exp-Seconds", f"{m.seconds:.2f}"
    yield "Exp-Seed", str(m.samples[0].seed)
    for s in m.samples:
        score = "" if s.score is None else repr(s.score)
        yield "Exp-Sample", f"{s.iteration} seed={s.seed} seconds={s.seconds:.2f} score={score}"
    yield from _telling_pairs(m)


def _telling_pairs(m: Measurement) -> Iterator[tuple[str, str]]:
    """What explains the score, or the lack of one."""
    if m.curve:
        yield "Exp-Curve", " ".join(f"{tenth}={loss!r}" for tenth, loss in m.curve)
    if m.pruned:
        yield "Exp-Pruned", one_line(m.pruned)
    for trouble in m.spoiled:
        yield "Exp-Spoiled", trouble
    if m.error:
        yield "Exp-Error", m.error
    if m.device:
        yield "Exp-Device", m.device
    if m.data:
        yield "Exp-Data", m.data


def _notes_pairs(notes: Notes) -> Iterator[tuple[str, str]]:
    if notes.goal is not None:
        yield "Exp-Goal", notes.goal
    if notes.hypothesis is not None:
        yield "Exp-Hypothesis", notes.hypothesis
    for constraint in _or_cleared(notes.constraints):
        yield "Exp-Constraint", constraint
    for idea in _or_cleared(notes.next):
        yield "Exp-Next", idea
    if notes.note is not None:
        yield "Exp-Note", notes.note


def _or_cleared(items: tuple[str, ...] | None) -> tuple[str, ...]:
    return () if items is None else items or ("",)


def _contract_pairs(contract: Contract) -> Iterator[tuple[str, str]]:
    yield "Exp-Optimize", f"{contract.direction.value} {contract.metric}"
    yield "Exp-Budget", f"{contract.budget:.10g}"
    yield "Exp-Timeout", f"{contract.timeout:.10g}"
    yield "Exp-Script", contract.script
    if contract.directory != ".":
        yield "Exp-Directory", contract.directory
    for path in contract.edit:
        yield "Exp-Edit", path
    for frozen in contract.freeze:
        yield "Exp-Freeze", f"{frozen.blob} {frozen.path}"
    yield "Exp-Rule", contract.rule
    for guard in contract.guards:
        yield "Exp-Guard", guard
    yield "Exp-One-Variable", contract.one_variable
    yield "Exp-Retries", str(contract.retries)
    yield "Exp-Hook", contract.hook


def from_message(message: Message, commit: str) -> Iteration | None:
    """The iteration a commit message records; ``None`` when it records none, or its block is not well formed."""
    try:
        return _iteration(message, commit)
    except (ValueError, LookupError):
        return None


def fault(message: Message) -> str:
    """Why a block that has an id records no iteration."""
    try:
        _iteration(message, "")
    except LookupError as missing:
        return f"{missing.args[0]} is missing"
    except ValueError as wrong:
        return one_line(str(wrong), 100)
    return f"{one_line(message.first('Exp-Id') or '', 20)!r} is no id"


def _iteration(message: Message, commit: str) -> Iteration | None:
    identity = message.first("Exp-Id")
    if identity is None:
        return None
    is_baseline = message.first("Exp-Format") is not None
    if is_baseline:
        _check_format(message)
    if not _ID.fullmatch(identity):
        return None
    described = _SUBJECT.fullmatch(message.subject)
    candidate = Candidate(
        id=identity,
        run=_required(message, "Exp-Run"),
        base=_required(message, "Exp-Base"),
        tree=_required(message, "Exp-Tree"),
        description=described[1] if described else message.subject,
        body=message.text,
        notes=_notes(message),
        changes=message.all("Exp-Change"),
        patch=message.first("Exp-Patch") or "",
        simpler=int(message.first("Exp-Simpler") or 0),
        params=tuple(map(_param, message.all("Exp-Param"))),
        contract=_contract(message) if is_baseline else None,
    )
    status, reason = Status(_required(message, "Exp-Status")), message.first("Exp-Reason") or ""
    return Iteration(candidate, Verdict(status, reason, _number(message, "Exp-Delta")), _measurement(message), commit)


def _param(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(text)
    return name, value


def _required(message: Message, key: str) -> str:
    value = message.first(key)
    if not value:
        raise LookupError(key)
    return value


def finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _number(message: Message, key: str) -> float | None:
    value = message.first(key)
    return None if value is None else finite(value)


def _measurement(message: Message) -> Measurement:
    metrics = (metric.rpartition("=") for metric in message.all("Exp-Metric"))
    score = _number(message, "Exp-Score")
    pruned = message.first("Exp-Pruned") or ""
    unscored = Status.DISCARD if pruned else Status.CRASH
    if (score is None) != (message.first("Exp-Status") == unscored.value) or (pruned and score is not None):
        raise ValueError("a CRASH has no score, nor has what was pruned, and everything else has one")
    return Measurement(
        samples=tuple(map(_sample, message.all("Exp-Sample"))),
        score=score,
        metrics=tuple((name, finite(value)) for name, _, value in metrics),
        test=_number(message, "Exp-Test"),
        memory_mb=_number(message, "Exp-Memory-MB"),
        device=message.first("Exp-Device") or "",
        data=message.first("Exp-Data") or "",
        reason=(message.first("Exp-Reason") or "") if score is None else "",
        error=message.first("Exp-Error") or "",
        spoiled=message.all("Exp-Spoiled"),
        curve=tuple(map(_tenth, (message.first("Exp-Curve") or "").split())),
        pruned=pruned,
    )


def _tenth(text: str) -> tuple[int, float]:
    tenth, _, loss = text.partition("=")
    return int(tenth), finite(loss)


def _sample(text: str) -> Sample:
    iteration, *fields = text.split(" ")
    values = dict(field.split("=", 1) for field in fields)
    score = values["score"]
    return Sample(iteration, int(values["seed"]), finite(values["seconds"]), finite(score) if score else None)


def _notes(message: Message) -> Notes:
    return Notes(
        goal=message.first("Exp-Goal"),
        hypothesis=message.first("Exp-Hypothesis"),
        constraints=_items(message.all("Exp-Constraint")),
        next=_items(message.all("Exp-Next")),
        note=message.first("Exp-Note"),
    )


def _items(values: tuple[str, ...]) -> tuple[str, ...] | None:
    return tuple(filter(None, values)) if values else None


def _check_format(message: Message) -> None:
    if (version := message.first("Exp-Format")) != trailers.FORMAT:
        raise GitexpError(
            f"This experiment is of format {version}; this gitexp reads format {trailers.FORMAT}.",
            "pip install --upgrade gitexp",
        )


def _contract(message: Message) -> Contract:
    direction, _, metric = _required(message, "Exp-Optimize").partition(" ")
    freezes = (value.partition(" ") for value in message.all("Exp-Freeze"))
    return Contract(
        metric=metric,
        direction=Direction(direction),
        budget=finite(_required(message, "Exp-Budget")),
        timeout=finite(_required(message, "Exp-Timeout")),
        script=_required(message, "Exp-Script"),
        directory=message.first("Exp-Directory") or ".",
        guards=message.all("Exp-Guard"),
        one_variable=message.first("Exp-One-Variable") or "warn",
        retries=int(message.first("Exp-Retries") or 2),
        edit=message.all("Exp-Edit"),
        freeze=tuple(Frozen(path, blob) for blob, _, path in freezes),
        rule=_required(message, "Exp-Rule"),
        hook=_required(message, "Exp-Hook"),
        seed=int(_required(message, "Exp-Seed")),
    )
