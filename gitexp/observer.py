"""The interface through which a step reports its progress: the command line draws it, tests may ignore it."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """An object with these methods; they are called in the thread that takes the step."""

    def say(self, sentence: str) -> None:
        """Report an event that is worth a line, in a full sentence."""

    def run_starts(self, identity: str, budget: float) -> None:
        """A replicate of ``identity`` starts; it trains for ``budget`` seconds."""

    def run_prints(self, line: str) -> None:
        """The run printed a line. It is untrusted text."""

    def run_goes_on(self) -> None:
        """Called several times a second while the replicate runs, whether it prints or not."""

    def run_ends(self, completed: bool) -> None:
        """The replicate is over; ``completed`` unless it was interrupted."""
