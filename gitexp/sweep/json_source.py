"""Constants of a JSON file by dotted key, ``optimizer.lr`` or ``layers.0.width``: the standard library is enough."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from typing import NoReturn

from gitexp.sweep.literals import Constant

DIGITS = 1000  # of an integer; a longer one is read as a float, as Python refuses to read integers of 4300 digits
_BLANKS = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands, in characters, and the keys and indices that lead to it."""

    path: tuple[str, ...]
    start: int
    end: int

    @property
    def name(self) -> str:
        return ".".join(self.path)


def names(text: str) -> list[str]:
    """Every dotted key of a document. Raises ValueError for a text that is not JSON."""
    return [place.name for place in _places(text)]


def find(text: str, name: str) -> Constant | None:
    """The value of a dotted key. Raises ValueError for a text that is not JSON."""
    places = _places(text)
    named = [place for place in places if place.name == name]
    if not named:
        return None
    place, *others = named
    line = _line(text, place)
    if others:
        lines = " and ".join(f"on line {_line(text, one)}" for one in named)
        return Constant(name, line, trouble=f"stands there more than once, {lines}")
    count = Counter(other.path for other in places)
    parents = [place.path[:depth] for depth in range(1, len(place.path))]
    if repeated := [parent for parent in parents if count[parent] > 1]:
        return Constant(name, line, trouble=f"is part of {'.'.join(repeated[0])}, which stands there more than once")
    source = text[place.start : place.end]
    return Constant(name, line, place.start, place.end, source, _loads(source))


def literal(given: str, constant: Constant) -> str | None:
    """``given`` as the source of a value for ``constant``; ``None`` for a bare word in the place of a number."""
    try:
        value = _loads(given)
    except ValueError:
        return json.dumps(given, ensure_ascii=False) if isinstance(constant.value, str) else None
    if isinstance(constant.value, str) and not isinstance(value, str):
        return json.dumps(given, ensure_ascii=False)
    return given


def differs_only_in(name: str, old: str, new: str, value: str) -> bool:
    """Whether ``new`` is ``old`` but for the value ``name``, whose source in ``new`` is ``value``.

    JSON is read from left to right: where all characters before a value are the same, and all after it, so is
    everything else that the document says.
    """
    before, after = find(old, name), find(new, name)
    if before is None or after is None or before.trouble or after.trouble:
        return False
    same_head, same_tail = old[: before.start] == new[: after.start], old[before.end :] == new[after.end :]
    return same_head and same_tail and after.source == value


def _line(text: str, place: _Place) -> int:
    return text.count("\n", 0, place.start) + 1


def _places(text: str) -> list[_Place]:
    """Every value but the document itself, in the order of their ends. Raises ValueError for what is not JSON."""
    _loads(text)  # what follows may then take for granted that each character stands where JSON wants it
    try:
        return list(_within(text, _past_blanks(text, 0), ()))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _within(text: str, start: int, path: tuple[str, ...]) -> Generator[_Place, None, int]:
    """The values inside the one at ``start``, and that one unless it is the document; returns where it ends."""
    if text[start] in "{[":
        end = yield from _items(text, start, path)
    else:
        _, end = _DECODER.raw_decode(text, start)
    if path:
        yield _Place(path, start, end)
    return end


def _items(text: str, start: int, path: tuple[str, ...]) -> Generator[_Place, None, int]:
    """The values inside the object or the array that begins at ``start``; returns where it ends."""
    at = _past_blanks(text, start + 1)
    index = 0
    while text[at] not in "}]":
        key = str(index)
        if text[start] == "{":
            key, at = _DECODER.raw_decode(text, at)
            at = _past_blanks(text, _past_blanks(text, at) + 1)  # over the colon
        at = yield from _within(text, at, (*path, key))
        at = _past_blanks(text, at)
        if text[at] == ",":
            at = _past_blanks(text, at + 1)
        index += 1
    return at + 1


def _past_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    assert blanks
    return blanks.end()


def _loads(text: str) -> object:
    try:
        value: object = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse)
