"""The exceptions that are meant for people: a full sentence, and the command to type next."""

from __future__ import annotations


class GitexpError(Exception):
    """A refusal or an expected failure, in a full ``sentence``; ``hint`` is a command that helps, or empty."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


class NotNewError(GitexpError):
    """The edit need not be measured: its tree is the incumbent's, or was tried before."""


class BreakerOpenError(GitexpError):
    """The circuit breaker is open: the experiment goes on when a person has looked and reset it."""
