"""The space of a search: named constants, and the values to try for each."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gitexp.errors import GitexpError
from gitexp.shell import command
from gitexp.sweep.literals import canonical, float_text
from gitexp.text import UNSAFE

POINTS = 5  # values that stand for a range where the search tries them one after another
Setting = Mapping[str, str]  # by the name of a constant, its value as source

_NUMBER = r"[-+]?(?:\d+(?:_\d+)*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Choices:
    """Listed values of a constant, as source."""

    name: str
    values: tuple[str, ...]

    def chosen(self, text: str) -> str | None:
        """The choice of the same meaning as ``text``; ``None`` if there is none."""
        return next((value for value in self.values if canonical(value) == canonical(text)), None)


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers of a constant, from ``low`` to ``high``, both included."""

    name: str
    low: float
    high: float
    log: bool = False  # spaced, or drawn, by the logarithm

    @property
    def whole(self) -> bool:
        """Whether it is a range of ints: both ends are."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def values(self) -> tuple[str, ...]:
        """Up to five values as source, evenly spaced (``log``: geometrically), both ends included."""
        shares = [step / (POINTS - 1) for step in range(POINTS)]
        if self.log:
            spaced = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            spaced = [self.low + (self.high - self.low) * share for share in shares]
        return tuple(dict.fromkeys(map(self.text, spaced)))

    def text(self, value: float) -> str:
        """A value as source, rounded to six significant digits (or to an int), and never past an end."""
        if self.whole:
            return str(min(max(round(value), self.low), self.high))
        text = float_text(value)
        return text if self.low <= float(text) <= self.high else repr(float(min(max(value, self.low), self.high)))

    def chosen(self, text: str) -> int | float | None:
        """The number that ``text`` means; ``None`` for what is not in the range."""
        kind, value = canonical(text)
        if kind != "number" or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return None
        if self.whole:
            return int(value) if value == int(value) else None
        return float(value)


Dimension = Choices | Range


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched, and the values that the constants have had."""

    dimensions: tuple[Dimension, ...]
    held: Mapping[str, Setting]  # by id, the values in each kept iteration, oldest first: the incumbent is the last

    @property
    def incumbent(self) -> Setting:
        """The values of the constants now."""
        return list(self.held.values())[-1]

    def message(self, setting: Setting) -> str:
        """The description of a step that tries ``setting``: ``DEPTH 2 -> 4, LR 0.1 -> 0.3``."""
        now = self.incumbent
        edits = [name for name, value in setting.items() if canonical(now[name]) != canonical(value)]
        return ", ".join(f"{name} {now[name]} -> {setting[name]}" for name in edits or setting)


def parse(asked: str) -> Dimension:
    """Read ``NAME=V1,V2,…``, ``NAME=LOW..HIGH`` or ``NAME=LOW..HIGH:log``. Raises GitexpError for any other text."""
    name, _, values = asked.partition("=")
    if not name.strip() or not values.strip():
        raise GitexpError(
            f"{asked!r} is not a constant with values to try.", "gitexp sweep DEPTH=2,4,8 LR=1e-4..1e-2:log"
        )
    if UNSAFE.search(asked):
        raise GitexpError(f"{asked!r} is not one line of plain text.", "gitexp sweep -h")
    if ends := _RANGE.fullmatch(values.strip()):
        return _range(name.strip(), _number(ends[1]), _number(ends[2]), bool(ends[3]))
    return Choices(name.strip(), distinct(_split(name, values)))


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """The values in order, each once however it is written: ``1e-3`` and ``0.001`` are one value."""
    first: dict[object, str] = {}
    for value in values:
        first.setdefault(canonical(value), value)
    return tuple(first.values())


def _range(name: str, low: float, high: float, log: bool) -> Range:
    if not low < high:
        raise GitexpError(
            f"{name}={low}..{high} is not a range: the lower end comes first.",
            command("gitexp", "sweep", f"{name}={high}..{low}"),
        )
    if log and low <= 0:
        raise GitexpError(
            f"{name}={low}..{high}:log: a logarithm takes numbers above 0.",
            command("gitexp", "sweep", f"{name}={low}..{high}"),
        )
    return Range(name, low, high, log)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise GitexpError(f"{text} is too large for a number.", "gitexp sweep -h")
    return int(text) if re.fullmatch(r"[-+]?[\d_]+", text) else number


def _split(name: str, text: str) -> Iterator[str]:
    """The values between commas; a comma inside brackets or quotes is part of a value."""
    start = at = 0
    expected: list[str] = []  # the characters that close the open brackets and the open quote
    while at < len(text):
        character = text[at]
        if expected and expected[-1] in "'\"":
            at += character == "\\"
            expected = expected[:-1] if character == expected[-1] else expected
        elif character in "'\"":
            expected.append(character)
        elif character in _CLOSING:
            expected.append(_CLOSING[character])
        elif expected and character == expected[-1]:
            expected.pop()
        elif character == "," and not expected:
            yield _value(name, text[start:at])
            start = at + 1
        at += 1
    if expected:
        raise GitexpError(
            f"The values of {name} lack a closing {expected[-1]} .", command("gitexp", "sweep", f"{name}={text}...")
        )
    yield _value(name, text[start:])


def _value(name: str, text: str) -> str:
    if not text.strip():
        raise GitexpError(
            f"One of the values of {name} is empty.",
            f"{command('gitexp', 'sweep', name + '=')}'\"\"'   # for an empty text",
        )
    return text.strip()
