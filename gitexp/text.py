"""Text from people, agents and training runs, made safe to show and to keep on one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

SHORT = 10  # digits. A fixed number, as in results.tsv: git's own depends on what else a repository holds

# C0 and C1 controls and DEL drive a terminal; U+2028/2029/0085 end lines for Python and browsers; the bidi marks
# reorder what a reviewer sees (https://trojansource.codes); lone surrogates cannot be written as UTF-8.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# In names also what nobody sees: soft hyphens, zero-width characters, tags.
_HIDING = re.compile(UNSAFE.pattern[:-1] + "\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_UNSAFE_BUT_LAYOUT = re.compile(UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def one_line(text: str, limit: int = 0) -> str:
    """``text`` on one line: runs of white space and unsafe characters become a space, and ``limit`` characters stay.

    A limit of 0 is none.
    """
    line = " ".join(UNSAFE.sub(" ", text).split())
    return line if not limit or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def printable(text: str) -> str:
    """``text`` with tabs and newlines kept and every other unsafe character spelled out, as in ``\\x1b``."""
    return _UNSAFE_BUT_LAYOUT.sub(lambda match: ascii(match.group())[1:-1], text)


def visible(name: str) -> str:
    """A name (path, branch, metric) on one line, each character of it that hides or reorders spelled: ``\\u202e``."""
    return _HIDING.sub(lambda match: ascii(match.group())[1:-1], name)


def visible_list(names: Iterable[str]) -> str:
    """Names, visible, with commas between them."""
    return ", ".join(map(visible, names))


def text_cell(text: str) -> str:
    """A text as a cell of a table, with a ``'`` before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def hides(text: str) -> bool:
    """Whether ``text`` holds a control, bidi or zero-width character."""
    return bool(_HIDING.search(text))


def from_bytes(data: bytes) -> str:
    """Bytes of unknown origin as text that can always be written back as UTF-8."""
    return data.decode("utf-8", "replace")


def short(oid: str) -> str:
    """The first digits of an object id, which name the object to people and to git."""
    return oid[:SHORT]


def plural(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``; for nouns that take an s."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """Seconds as people say them: ``8 s``, ``5 min``, ``1 h 4 min``."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def thinned(items: Sequence[Item], limit: int) -> list[Item]:
    """At most ``limit`` (2 or more) of the items, evenly spaced; the first and the last are among them."""
    if len(items) <= limit:
        return list(items)
    return [items[round(at * (len(items) - 1) / (limit - 1))] for at in range(limit)]
