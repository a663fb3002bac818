"""The space of a search: named constants, and the values that each is to be tried with."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gitexp.errors import GitexpError
from gitexp.sweep.literals import canonical, float_text
from gitexp.text import UNSAFE

POINTS = 5  # values that a range stands for where it is gone through
Setting = Mapping[str, str]  # by constant, its value as source

_NUMBER = r"[-+]?(?:\d+(?:_\d+)*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Choices:
    name: str
    values: tuple[str, ...]

    def chosen(self, text: str) -> str | None:
        """The choice that means what ``text`` means, if there is one."""
        return next((value for value in self.values if canonical(value) == canonical(text)), None)


@dataclass(frozen=True, slots=True)
class Range:
    name: str
    low: float  # with ``high``, ints for a range of ints
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def values(self) -> tuple[str, ...]:
        """A few of them, evenly or geometrically spaced, the ends among them."""
        shares = [step / (POINTS - 1) for step in range(POINTS)]
        if self.log:
            spaced = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            spaced = [self.low + (self.high - self.low) * share for share in shares]
        return tuple(dict.fromkeys(map(self.text, spaced)))

    def text(self, value: float) -> str:
        """A value as source: rounded, and not past the ends for that."""
        if self.whole:
            return str(min(max(round(value), self.low), self.high))
        text = float_text(value)
        return text if self.low <= float(text) <= self.high else repr(float(min(max(value, self.low), self.high)))

    def chosen(self, text: str) -> int | float | None:
        """The number that ``text`` means, if the range holds it."""
        kind, value = canonical(text)
        if kind != "number" or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return None
        if self.whole:
            return int(value) if value == int(value) else None
        return float(value)


Dimension = Choices | Range


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched, and what its constants are in each kept iteration, by id: the incumbent is the last."""

    dimensions: tuple[Dimension, ...]
    held: Mapping[str, Setting]

    @property
    def incumbent(self) -> Setting:
        return list(self.held.values())[-1]

    def message(self, setting: Setting) -> str:
        """``DEPTH 2 -> 4, LR 0.1 -> 0.3``."""
        now = self.incumbent
        edits = [name for name, value in setting.items() if canonical(now[name]) != canonical(value)]
        return ", ".join(f"{name} {now[name]} -> {setting[name]}" for name in edits or setting)


def parse(asked: str) -> Dimension:
    """``NAME=V1,V2,…``, ``NAME=LOW..HIGH`` or ``NAME=LOW..HIGH:log``."""
    name, _, values = asked.partition("=")
    if not name.strip() or not values.strip():
        raise GitexpError(f"{asked!r} is no constant with values to try.", "gitexp sweep DEPTH=2,4,8 LR=1e-4..1e-2:log")
    if UNSAFE.search(asked):
        raise GitexpError(f"{asked!r} is not one line of plain text.", "gitexp sweep -h")
    found = _RANGE.fullmatch(values.strip())
    if found:
        return _range(name.strip(), _number(found[1]), _number(found[2]), bool(found[3]))
    return Choices(name.strip(), distinct(_split(name, values)))


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """Each value once, in order, whatever ways it is written in."""
    found: dict[object, str] = {}
    for value in values:
        found.setdefault(canonical(value), value)
    return tuple(found.values())


def _range(name: str, low: float, high: float, log: bool) -> Range:
    if not low < high:
        raise GitexpError(
            f"{name}={low}..{high} is no range: its first end is the lower one.", f"gitexp sweep {name}={high}..{low}"
        )
    if log and low <= 0:
        raise GitexpError(
            f"{name}={low}..{high}:log: a logarithm takes numbers above 0.", f"gitexp sweep {name}={low}..{high}"
        )
    return Range(name, low, high, log)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise GitexpError(f"{text} is too large for a number.", "gitexp sweep -h")
    return int(text) if re.fullmatch(r"[-+]?[\d_]+", text) else number


def _split(name: str, text: str) -> Iterator[str]:
    """The values between the commas that stand in no brackets and no quotes."""
    start = at = 0
    expected: list[str] = []  # what closes the brackets and the quote that are open
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
        raise GitexpError(f"The values of {name} lack a closing {expected[-1]} .", f"gitexp sweep '{name}={text}...'")
    yield _value(name, text[start:])


def _value(name: str, text: str) -> str:
    if not text.strip():
        raise GitexpError(f"One of the values of {name} is empty.", f"gitexp sweep {name}='\"\"'   # for an empty text")
    return text.strip()
