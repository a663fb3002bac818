"""Iterations and remarks as commit messages, and commit messages as iterations and remarks.

Which trailers they have, and what those say, is in the table of :mod:`gitexp.ledger.trailers`.
"""

from __future__ import annotations

import re

from gitexp.errors import GitexpError
from gitexp.git import provenance
from gitexp.ledger import trailer_block, trailers
from gitexp.ledger.trailer_block import Message
from gitexp.ledger.trailers import Part, fields_of, written
from gitexp.model import (
    ID,
    Candidate,
    Contract,
    Iteration,
    Measurement,
    Notes,
    Remark,
    Status,
    Verdict,
    headline,
    number,
    score_text,
)
from gitexp.text import one_line

SUBJECT_LIMIT = 200  # characters of the description in the subject; a longer one stands whole in the text below it
REMARK_SUBJECTS = {  # by kind
    "breaker": "Reset the circuit breaker after {of}: {text}",
    "test": "Test {of}: {score}",
}
_SUBJECT = re.compile(rf"{ID} (?:KEEP|DISCARD|CRASH)(?: [^:\s]+)?: (.*)")


def describe(text: str) -> tuple[str, str]:
    """What a person wrote for ``-m`` as a one-line description, and the text to keep below it, if any."""
    first, _, rest = text.strip().partition("\n")
    cut = len(one_line(first)) > SUBJECT_LIMIT
    return one_line(first, SUBJECT_LIMIT), text.strip() if cut else rest.strip()


def to_message(iteration: Iteration) -> bytes:
    """The message of an iteration's commit."""
    return trailer_block.write(headline(iteration), iteration.candidate.body, _pairs(iteration))


def _pairs(iteration: Iteration) -> list[tuple[str, str]]:
    candidate, contract = iteration.candidate, iteration.contract
    parts: dict[Part, object] = {
        "candidate": candidate,
        "verdict": iteration.verdict,
        "measurement": iteration.measurement,
        "notes": candidate.notes,
    }
    if contract is None:
        return list(written(trailers.ITERATION, parts))
    pairs = list(written(trailers.ITERATION, parts | {"contract": contract}))
    # Where the contract's seed is the first run's, the key of its own is no reason for another format.
    implied = {trailers.CONTRACT_SEED} if contract.seed == iteration.measurement.seed else set()
    version = trailers.least_format({key for key, _ in pairs} - implied)
    told = trailers.keys(version)
    return [(trailers.FORMAT, str(version)), *(pair for pair in pairs if pair[0] in told)]


def revert_message(iteration: Iteration, commit: str) -> bytes:
    """What ``git revert`` would write."""
    return provenance.revert_message(headline(iteration), commit)


def remark_subject(remark: Remark) -> str:
    """The subject of a remark's commit; its kind is one of ``REMARK_SUBJECTS``."""
    text, score = one_line(remark.text, SUBJECT_LIMIT), score_text(remark.score)
    return REMARK_SUBJECTS[remark.kind].format(of=remark.of, text=text, score=score)


def remark_message(remark: Remark) -> bytes:
    """The message of a remark's commit."""
    return trailer_block.write(remark_subject(remark), "", written(trailers.REMARKS, {"remark": remark}))


def remark_from(message: Message, commit: str) -> Remark | None:
    """The remark a commit message records; ``None`` when it records none."""
    try:
        remark = Remark(**fields_of("remark", message.all), commit=commit)
        number(remark.of)
        return remark
    except (ValueError, LookupError):
        return None


def from_message(message: Message, commit: str) -> Iteration | None:
    """The iteration a commit message records; ``None`` when it records none, or its block is not well formed.

    Raises :class:`GitexpError` for the baseline of an experiment whose format is not known.
    """
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
    return f"{one_line(message.first('Exp-Id') or '', 20)!r} is not an id"


def format_of(message: Message) -> int | None:
    """The format that a baseline's message names; ``None`` for any other message.

    Raises :class:`GitexpError` for a format that this gitexp does not read.
    """
    version = message.first(trailers.FORMAT)
    if version is None:
        return None
    if version not in map(str, trailers.FORMATS):
        known = " and ".join(map(str, trailers.FORMATS))
        raise GitexpError(
            f"This experiment is of format {version}; this gitexp reads formats {known}.",
            "pip install --upgrade gitexp",
        )
    return int(version)


def _iteration(message: Message, commit: str) -> Iteration | None:
    identity = message.first("Exp-Id")
    if identity is None:
        return None
    version = format_of(message)
    if not re.fullmatch(ID, identity):
        return None
    described = _SUBJECT.fullmatch(message.subject)
    candidate = Candidate(
        **fields_of("candidate", message.all),
        description=described[1] if described else message.subject,
        body=message.text,
        notes=Notes(**fields_of("notes", message.all)),
        contract=_contract(message, version) if version else None,
    )
    verdict = Verdict(**{"reason": "", **fields_of("verdict", message.all)})
    if candidate.contract and verdict.status is not Status.KEEP:
        raise ValueError("a baseline is a KEEP")
    return Iteration(candidate, verdict, _measurement(message, verdict), commit)


def _measurement(message: Message, verdict: Verdict) -> Measurement:
    values = fields_of("measurement", message.all)
    is_scored, is_pruned = values.get("score") is not None, bool(values.get("pruned"))
    if is_scored == (verdict.status is (Status.DISCARD if is_pruned else Status.CRASH)) or (is_pruned and is_scored):
        raise ValueError("a CRASH has no score, nor has what was pruned, and everything else has one")
    return Measurement(**values, reason="" if is_scored else verdict.reason)


def _contract(message: Message, version: int) -> Contract:
    values = {"edit": (), "freeze": (), **fields_of("contract", message.all, version)}
    if version == 1:
        seed = message.first(trailers.FIRST_SEED)
        if not seed:
            raise LookupError(trailers.FIRST_SEED)
        values["seed"] = int(seed)
    if not values["budget"] > 0:
        raise ValueError("Exp-Budget is more than 0 seconds")
    return Contract(**values)
