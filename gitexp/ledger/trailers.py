r"""The trailer block of an iteration's commit message: format 1.

This is the format's specification. git decides what a trailer is: ``git interpret-trailers --parse --no-divider`` and
``git log --format=%(trailers)`` list exactly the pairs written here (tests hold it to that, with hostile text)::

    message = subject LF LF [text LF LF] block
    block   = trailer+                     ; the last paragraph, no blank line in it
    trailer = key ": " value LF
    key     = "Exp-" (letter | digit | "-")+   ; no key is a prefix of another: git matches keys by prefix
    value   = plain | json
    plain   = characters without controls, line ends, bidi marks or a NUL; not empty, no space at either end,
              not starting with a double quote
    json    = a JSON string, for every value that cannot be plain; unsafe characters stand as \uXXXX in it

Keys may repeat; their order is kept. Every iteration carries:

==================  ==================================================================================================
Exp-Id              ``exp000`` (the baseline), ``exp001``, …
Exp-Run             a unique id of this step
Exp-Base            the commit it is an edit of: its first parent. A cherry-picked copy shows by another parent.
Exp-Tree            the tree that was measured: its own. An amended commit shows by another tree.
Exp-Status          ``KEEP``, ``DISCARD`` or ``CRASH``
Exp-Score           the contract's metric (absent for a CRASH)
Exp-Curve           ``tenth=loss …``: the mean loss of the first run in each tenth of the budget
Exp-Pruned          why the run was ended early, on purpose; such a DISCARD has no score
Exp-Metric          ``name=value``, one for each other metric
Exp-Test            score on the held-out split, when the run reported one
Exp-Memory-MB       peak memory
Exp-Seconds         wall-clock seconds of all replicates
Exp-Seed            the first replicate's seed
Exp-Sample          ``exp004 seed=0 seconds=8.1 score=1.8``, one for each replicate; ``score=`` is empty for a crash
Exp-Delta           its score less the incumbent's, as the rule weighed them
Exp-Change          what the edit changes, by syntax: ``constant LR``, ``function forward``; one for each
Exp-Param           ``LR=0.3``: a constant that a sweep set, its value as source; one for each
Exp-Simpler         by how many lines the code became shorter, where that was the point (``--simplify``)
Exp-Patch           git's patch id of the edit: an edit that was tried before has the same
Exp-Spoiled         what spoiled a run that was made again, one for each
Exp-Reason          why this verdict
Exp-Error           a CRASH's normalised signature: equal signatures are the same error
Exp-Device          where it ran
Exp-Data            what it was trained and scored on, as the run calls it
==================  ==================================================================================================

What people say travels in ``Exp-Goal``, ``Exp-Hypothesis``, ``Exp-Constraint`` (repeated), ``Exp-Next`` (repeated) and
``Exp-Note``; the newest that is present holds, and an empty value (``""``) clears it. The baseline also carries the
contract: ``Exp-Format`` (1), ``Exp-Optimize`` (``minimize val_bpb``), ``Exp-Budget`` and ``Exp-Timeout`` (seconds),
``Exp-Script``, ``Exp-Directory`` (absent for the top level), ``Exp-Edit`` (repeated), ``Exp-Freeze``
(``<blob id> <path>``, repeated), ``Exp-Rule``, ``Exp-Guard`` (``memory_mb<=8000``, repeated),
``Exp-One-Variable`` (``warn`` or ``strict``), ``Exp-Retries`` (of spoiled runs) and ``Exp-Hook`` (the hook's blob id).

A remark is a commit of gitexp's that changes no file: ``Exp-Remark`` (``breaker exp009``: the circuit breaker was reset
after it; ``test exp007``: a look at the held-out split), ``Exp-Base``, and ``Exp-Note`` or ``Exp-Test``.

A summary is the commit that ends the branch ``review/<name>``, so that a squash merge keeps the record: ``Exp-Summary``
(the experiment's name), ``Exp-Tip`` (the commit of ``exp/<name>`` that it sums up), ``Exp-Base`` and ``Exp-Tree`` (its
own), ``Exp-Goal``, ``Exp-Optimize``, ``Exp-Rule``, ``Exp-First`` and ``Exp-Best`` (the baseline and the incumbent: id,
commit, score, description), ``Exp-Count`` (``KEEP 5``, one for each verdict) and ``Exp-Kept`` (one for each KEEP, as
for the incumbent). It has no ``Exp-Id``: no reader takes it for an iteration.

A reader takes the last paragraph that looks like a block and holds ``Exp-Id``, ``Exp-Remark`` or ``Exp-Summary``, also
when something was put after it (a ``Co-authored-by`` paragraph, say), and then says that the block is displaced: git
does not see it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gitexp.git.provenance import PICKED_FROM
from gitexp.text import UNSAFE, from_bytes, printable

FORMAT = "1"

_FIRST = ("Exp-Id", "Exp-Remark", "Exp-Summary")  # a block of ours holds one of these
_TRAILER = re.compile(r"([A-Za-z0-9-]+)[ \t]*:(.*)")
_BLANK = re.compile(r"\n(?:[ \t\r\f\v]*\n)+")


@dataclass(frozen=True, slots=True)
class Message:
    """A commit message taken apart. ``trailers`` are the decoded ``Exp-`` pairs of its block, in order."""

    subject: str
    text: str
    trailers: tuple[tuple[str, str], ...]
    displaced: bool = False
    _values: dict[str, list[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in self.trailers:
            self._values.setdefault(key, []).append(value)

    def first(self, key: str) -> str | None:
        values = self._values.get(key)
        return values[0] if values else None

    def all(self, key: str) -> tuple[str, ...]:
        return tuple(self._values.get(key, ()))


def encode(value: str) -> str:
    if value and value == value.strip() and not value.startswith('"') and not UNSAFE.search(value):
        return value
    return UNSAFE.sub(lambda c: f"\\u{ord(c.group()):04x}", json.dumps(value, ensure_ascii=False))


def decode(text: str) -> str:
    """The inverse of :func:`encode`. A quoted value that is not JSON was written by hand, and is taken as it stands."""
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
    subject, _, rest = from_bytes(message).partition("\n")
    paragraphs = [p for p in _BLANK.split("\n" + rest.rstrip() + "\n") if p.strip()]
    for at in range(len(paragraphs) - 1, -1, -1):
        pairs = _block(paragraphs[at])
        if any(key in _FIRST for key, _ in pairs):
            text = "\n\n".join(paragraphs[:at])
            return Message(subject, text, tuple(pairs), displaced=at != len(paragraphs) - 1)
    return Message(subject, "\n\n".join(paragraphs), ())


def _block(paragraph: str) -> list[tuple[str, str]]:
    """The ``Exp-`` pairs of a paragraph; none if a line of it is neither a trailer nor one of git's additions."""
    pairs: list[tuple[str, str]] = []
    for line in paragraph.strip("\n").split("\n"):
        found = _TRAILER.fullmatch(line.rstrip("\r"))
        if found and found[1].startswith("Exp-"):
            pairs.append((found[1], decode(found[2])))
        elif not found and not line.startswith((PICKED_FROM, "#", " ", "\t")):
            return []
    return pairs
