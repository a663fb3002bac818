"""The parameters of a rule, as they stand in its text."""

from __future__ import annotations

import math

from gitexp.errors import GitexpError


def number(rule: str, text: str) -> float:
    """The number that ``text`` is. Raises, naming the ``rule`` that it stands in, for any but finite ones from 0 up."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise unreadable(rule, f"{text!r} is not a number from 0 up")
    return value


def unreadable(rule: str, why: str) -> GitexpError:
    """The error of a rule whose name is known, and whose parameters are wrong."""
    return GitexpError(f"The rule {rule!r} cannot be read: {why}.", "gitexp init --help")
