"""A commit message taken apart, and put together: its subject, its text, and its block of trailers.

The grammar is specified in :mod:`gitexp.ledger.trailers`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gitexp.git.provenance import PICKED_FROM
from gitexp.ledger.trailers import FIRST
from gitexp.text import UNSAFE, from_bytes, printable

_TRAILER = re.compile(r"([A-Za-z0-9-]+)[ \t]*:(.*)")
_BLANK = re.compile(r"\n(?:[ \t\r\f\v]*\n)+")


@dataclass(frozen=True, slots=True)
class Message:
    """A commit message taken apart. ``trailers`` are the decoded ``Exp-`` pairs of its block, in order."""

    subject: str
    text: str  # between the subject and the block
    trailers: tuple[tuple[str, str], ...]
    displaced: bool = False  # something was put after the block: git does not see it
    _values: dict[str, list[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in self.trailers:
            self._values.setdefault(key, []).append(value)

    def first(self, key: str) -> str | None:
        """The first value under a key; ``None`` where there is none."""
        values = self._values.get(key)
        return values[0] if values else None

    def all(self, key: str) -> tuple[str, ...]:
        """All values under a key, in order."""
        return tuple(self._values.get(key, ()))


def encode(value: str) -> str:
    """A value as it stands in a message: as it is where that is one safe line, else as a JSON string."""
    if value and value == value.strip() and not value.startswith('"') and not UNSAFE.search(value):
        return value
    return UNSAFE.sub(lambda c: f"\\u{ord(c.group()):04x}", json.dumps(value, ensure_ascii=False))


def decode(text: str) -> str:
    """The inverse of :func:`encode`. A quoted value that is not JSON was written by hand, and is left as it is."""
    text = text.strip()
    if not text.startswith('"'):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def write(subject: str, text: str, trailers: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of a commit message. ``subject`` is one line; lines of ``text`` that look like ours are indented."""
    block = "".join(f"{key}: {encode(value)}\n" for key, value in trailers)
    prose = re.sub(r"(?im)^(?=exp-)", " ", printable(text).strip())
    paragraphs = [subject, prose, block] if prose else [subject, block]
    return "\n\n".join(paragraphs).encode("utf-8", "replace")


def read(message: bytes) -> Message:
    """A message taken apart: the last paragraph that is a block of gitexp's, and what stands before it."""
    subject, _, rest = from_bytes(message).partition("\n")
    paragraphs = [p for p in _BLANK.split("\n" + rest.rstrip() + "\n") if p.strip()]
    for at in range(len(paragraphs) - 1, -1, -1):
        pairs = _block(paragraphs[at])
        if any(key in FIRST for key, _ in pairs):
            text = "\n\n".join(paragraphs[:at])
            return Message(subject, text, tuple(pairs), displaced=at != len(paragraphs) - 1)
    return Message(subject, "\n\n".join(paragraphs), ())


def _block(paragraph: str) -> list[tuple[str, str]]:
    """The ``Exp-`` pairs of a paragraph; none if a line of it is neither a trailer nor one of git's additions."""
    pairs: list[tuple[str, str]] = []
    for line in paragraph.strip("\n").split("\n"):
        trailer = _TRAILER.fullmatch(line.rstrip("\r"))
        if trailer and trailer[1].startswith("Exp-"):
            pairs.append((trailer[1], decode(trailer[2])))
        elif not trailer and not line.startswith((PICKED_FROM, "#", " ", "\t")):
            return []
    return pairs
