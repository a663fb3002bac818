"""The forms of trailers: how a value stands as text, and what such a text says.

:mod:`gitexp.ledger.trailers` says which trailer has which form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gitexp.model import Contract, Direction, Frozen, FrozenData, Remark, Sample, Status
from gitexp.text import one_line

Texts = tuple[str, ...]  # the values of all trailers with one key, in order

# In the usual form nothing has to be decoded. The numbers are always finite.
NUMERAL = r"-?[0-9]{1,17}(?:\.[0-9]{1,25})?(?:e[+-]?[0-9]{1,2})?"
NAME = "[A-Za-z0-9_]+"
LINE = r'[^\s"](?:[^\n]*\S)?'


@dataclass(frozen=True, slots=True)
class Form:
    """``write`` gives the texts of a value (none: it has no trailer), ``read`` the value of texts (at least one).

    ``read`` raises :class:`ValueError` or :class:`LookupError` for what it cannot read. ``usual`` is a regular
    expression for a text in its usual form, as it stands in a message: neither quoted nor with spaces around it.
    """

    write: Callable[[Any], Texts]
    read: Callable[[Texts], Any]
    usual: str = LINE
    repeats: bool = False  # whether the key may stand more than once


def finite(text: str) -> float:
    """The number that a text is. Raises :class:`ValueError` for any that is not finite."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def number(spec: str = "") -> Form:
    """A number or ``None``, in the format ``spec``; without one every digit is kept."""
    return Form(
        lambda value: () if value is None else (f"{value:{spec}}" if spec else repr(value),),
        lambda texts: finite(texts[0]),
        NUMERAL,
    )


def count(default: int = 0, always: bool = False) -> Form:
    """A whole number; where it may be left out, 0 is."""
    return Form(
        lambda value: (str(value),) if value or always else (), lambda texts: int(texts[0] or default), r"[0-9]+"
    )


def text(default: str = "", always: bool = False, usual: str = LINE) -> Form:
    """Text on one line, left out where it is as usual unless it is ``always`` written."""
    return Form(
        lambda value: (value,) if always or value not in (default, None) else (),
        lambda texts: texts[0] or default,
        usual,
    )


def _first(texts: Texts) -> str:
    return texts[0]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(text)
    return name, value


def _metric(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    return name, finite(value)


def _sample_text(sample: Sample) -> str:
    score = "" if sample.score is None else repr(sample.score)
    return f"{sample.iteration} seed={sample.seed} seconds={sample.seconds:.2f} score={score}"


def _sample(text: str) -> Sample:
    iteration, *fields = text.split(" ")
    values = dict([field.split("=", 1) for field in fields])
    score = values["score"]
    return Sample(iteration, int(values["seed"]), finite(values["seconds"]), finite(score) if score else None)


def _tenth(text: str) -> tuple[int, float]:
    tenth, _, loss = text.partition("=")
    return int(tenth), finite(loss)


def _frozen(text: str) -> Frozen:
    blob, _, path = text.partition(" ")
    return Frozen(path, blob)


def _data(text: str) -> FrozenData:
    sha256, size, path = text.split(" ", 2)
    return FrozenData(path, sha256, int(size))


def _objective(texts: Texts) -> dict[str, object]:
    direction, _, metric = texts[0].partition(" ")
    return {"direction": Direction(direction), "metric": metric}


def _remarked(texts: Texts) -> dict[str, str]:
    kind, of = texts[0].split(" ")
    return {"kind": kind, "of": of}


def _remark_text(remark: Remark) -> Texts:
    return (f"{remark.kind} {remark.of}",)


def _objective_text(contract: Contract) -> Texts:
    return (f"{contract.direction.value} {contract.metric}",)


BY_HAND = Form(lambda part: (), lambda texts: {})  # written and read by gitexp.ledger.messages alone
SENTENCE = Form(lambda value: (one_line(value),), _first)
MAYBE_SENTENCE = Form(lambda value: (one_line(value),) if value else (), _first)
STATUS = Form(lambda status: (status.value,), lambda texts: Status(texts[0]), "KEEP|DISCARD")  # a CRASH has no score
NOTE = Form(lambda value: () if value is None else (value,), _first)  # an empty one clears what was there
NOTES = Form(
    lambda items: () if items is None else items or ("",), lambda texts: tuple(filter(None, texts)), repeats=True
)
TEXTS = Form(tuple, lambda texts: texts, repeats=True)
PARAMS = Form(
    lambda params: tuple(f"{name}={value}" for name, value in params),
    lambda texts: tuple(map(_pair, texts)),
    rf'[^\s"=]+={LINE}',
    repeats=True,
)
METRICS = Form(
    lambda metrics: tuple(f"{name}={int(v) if v.is_integer() else repr(v)}" for name, v in metrics),
    lambda texts: tuple(map(_metric, texts)),
    rf'[^\s"=][^\s=]*={NUMERAL}',
    repeats=True,
)
SAMPLES = Form(
    lambda samples: tuple(map(_sample_text, samples)),
    lambda texts: tuple(map(_sample, texts)),
    rf"{NAME} seed=[0-9]+ seconds={NUMERAL} score={NUMERAL}",
    repeats=True,
)
CURVE = Form(
    lambda curve: (" ".join(f"{tenth}={loss!r}" for tenth, loss in curve),) if curve else (),
    lambda texts: tuple(map(_tenth, texts[0].split())),
    rf"[0-9]+={NUMERAL}(?: [0-9]+={NUMERAL})*",
)
FREEZE = Form(
    lambda freeze: tuple(f"{frozen.blob} {frozen.path}" for frozen in freeze),
    lambda texts: tuple(map(_frozen, texts)),
    repeats=True,
)
DATA = Form(
    lambda data: tuple(f"{each.sha256} {each.size} {each.path}" for each in data),
    lambda texts: tuple(map(_data, texts)),
    repeats=True,
)
OBJECTIVE = Form(_objective_text, _objective)
REMARK = Form(_remark_text, _remarked)
