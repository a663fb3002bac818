"""A crash's normalised signature: equal signatures are the same error, whatever numbers, paths or addresses it has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from gitexp.text import one_line

_ERROR = re.compile(r"(?:[a-zA-Z_][\w.]*\.)?([A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning|Iteration))")
NAME_LIMIT = 200  # characters of an exception's name
_FRAME = re.compile(r'\s*File "(.+?)", line \d+, in (.+)')
_PATH = re.compile(r"""(?<![^\s'":,()])(?:~|\.\.?)?/[^\s'":,()]*""")
_NOISE = (
    (re.compile(r"0x[0-9a-fA-F]+"), "ADDR"),
    (re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"), "N"),
    (re.compile(r"N(?:[,\s]+N){5,}"), "N …"),  # a long list of sizes is that at any length
)


def normalise(text: str) -> str:
    text = text.removeprefix("__main__.")  # Python 3.10 names the module of a script's own exceptions, later ones don't
    text = _PATH.sub(lambda path: path.group().rstrip("/").rpartition("/")[2], text)  # paths lose their folders
    for noise, instead in _NOISE:
        text = noise.sub(instead, text)
    return one_line(text, 200)


def last_error(tail: Sequence[str]) -> str:
    """The last line of ``tail`` that names an exception, else its last line that says anything, else nothing."""
    errors = [line for line in tail if _error(line)]
    return one_line(next(iter(errors[-1:] or [line for line in tail if line.strip()][-1:]), ""))


def signature(tail: Sequence[str], own: Sequence[str]) -> str:
    """``ValueError in train.py:forward: [reshape] Cannot reshape …``: exception, deepest own frame, normalised message.

    ``tail`` is the end of the run's output; ``own`` are the file names that count as the experiment's own frames.
    """
    error = _error(last_error(tail))
    if not error:
        return normalise(last_error(tail))
    frames = [found for line in tail if (found := _FRAME.fullmatch(line))]
    mine = [f"{PurePath(file).name}:{function}" for file, function in (f.groups() for f in frames) if _is(file, own)]
    where = f" in {mine[-1]}" if mine else ""
    name, message = error
    return f"{name}{where}" + (f": {normalise(message)}" if message else "")


def _error(line: str) -> tuple[str, str] | None:
    """The name and the message of the exception that a line names; ``None`` when it names none."""
    name, _, message = line.strip().partition(": ")
    found = _ERROR.fullmatch(name) if len(name) <= NAME_LIMIT else None  # the time grows with the square of its length
    return (found[1], message) if found else None


def _is(file: str, own: Sequence[str]) -> bool:
    return PurePath(file).name in {PurePath(path).name for path in own}
