"""The one exception meant for people: a full sentence, and the command to type next."""

from __future__ import annotations


class GitexpError(Exception):
    """A refusal or an expected failure. ``hint`` is a command that gets the reader on."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class NotNewError(GitexpError):
    """There is nothing to learn from an edit: it is the incumbent, or it was tried before."""


class BreakerOpenError(GitexpError):
    """The circuit breaker is open: an experiment goes on only when a person has looked."""
