"""The progress bar of a step, a loop or a recovery; one line at a run's start elsewhere than in a terminal.

All of it is on standard error. ``gitexp watch`` is ``watch.py``.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import click

from gitexp.run.curve import PERCENT
from gitexp.text import one_line, printable

REDRAW = 0.1  # seconds between two drawings of the bar, at least
WIDTH = 24  # columns of the bar
AROUND = 38  # columns of the bar, its percentage and the spaces between
STEPS = 1000  # of a bar from its start to its end
UP_AND_CLEAR = "\x1b[1A\x1b[2K"  # move up a line, and clear it


class Terminal:
    """An :class:`gitexp.observer.Observer` that draws. ``quiet`` leaves only sentences that matter.

    ``whole`` gives the line about the loop that the runs are part of; both lines go away when a run is over.
    """

    def __init__(self, quiet: bool = False, whole: Callable[[], str] | None = None) -> None:
        self._draws = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._quiet = quiet
        self._whole = whole
        self._bar: RunBar | None = None

    def say(self, sentence: str) -> None:
        """Print a sentence. A terminal that was closed must not cost the run."""
        with suppress(OSError, ValueError):
            click.echo(printable(sentence), err=True)

    def run_starts(self, identity: str, budget: float) -> None:
        """Open the bar of a run that trains for ``budget`` seconds, or print a line where none can be drawn."""
        if self._draws:
            self._draw(lambda: self._open(identity, budget))
        elif budget and not self._quiet and not self._whole:
            self.say(f"{identity}: training for {budget:g} s")

    def run_prints(self, line: str) -> None:
        """Take the share of the budget from a line of the run, and show the rest of it beside the bar."""
        if self._bar:
            self._bar.read(line)

    def run_goes_on(self) -> None:
        """Draw the bar again, unless that was done a moment ago."""
        if self._bar:
            self._draw(self._bar.advance)

    def run_ends(self, completed: bool) -> None:
        """Close the bar, full if the run is ``completed``."""
        if self._bar:
            self._draw(lambda: self._close(completed))

    def _draw(self, draw: Callable[[], None]) -> None:
        """Draw. A terminal that was closed must not cost the run: nothing is drawn on it any more."""
        try:
            draw()
        except (OSError, ValueError):
            self._draws, self._bar = False, None

    def _open(self, identity: str, budget: float) -> None:
        if self._whole:
            click.echo(one_line(self._whole(), shutil.get_terminal_size().columns - 1), err=True)
        self._bar = RunBar(identity, budget)

    def _close(self, completed: bool) -> None:
        bar, self._bar = self._bar, None
        if bar:
            bar.close(completed)
        if self._whole:
            click.echo(2 * UP_AND_CLEAR, nl=False, err=True)


class RunBar:
    """A run's bar: how much of its budget is spent, by its own word or else by the clock, and what it printed last."""

    def __init__(self, identity: str, budget: float) -> None:
        """Open the bar. Without a ``budget`` (0 s) there is only the percentage."""
        self._identity = identity
        self._budget = budget
        self._started = self._drawn = time.monotonic()
        self._share: float | None = None  # what the run itself says of its progress
        self._printed = ""
        self._shown = ""  # of that, as much as there is room for
        self._step = 0
        self._closing = ExitStack()
        bar = click.progressbar(
            range(STEPS),
            label=identity,
            file=sys.stderr,
            show_eta=False,
            show_percent=True,
            width=WIDTH,
            bar_template="%(label)s  [%(bar)s]  %(info)s" if budget else "%(label)s  %(info)s",
            item_show_func=lambda _: self._shown,
            update_min_steps=0,  # it is drawn again where only the text is new
        )
        self._bar = self._closing.enter_context(bar)

    def read(self, line: str) -> None:
        """Take a line that the run printed: untrusted text."""
        percent = PERCENT.search(line)
        if percent:
            self._share = min(1.0, float(percent[1]) / 100)
        self._printed = line[percent.end() :].lstrip(") |") if percent else line

    def advance(self) -> None:
        """Draw the bar as it is now, unless that was done less than ``REDRAW`` seconds ago."""
        now = time.monotonic()
        if now < self._drawn + REDRAW:
            return
        self._drawn = now
        share = self._share
        if share is None:  # the run says nothing of it: then the clock does, and only the end is the end
            share = min(0.99, (now - self._started) / self._budget) if self._budget else 0.0
        room = max(1, shutil.get_terminal_size().columns - len(self._identity) - AROUND)
        self._shown = one_line(self._printed, room)
        self._move(share)

    def close(self, completed: bool) -> None:
        """Draw the bar a last time, full if the run is ``completed``."""
        self._shown = ""
        self._move(1.0 if completed else 0.0)
        self._closing.close()

    def _move(self, share: float) -> None:
        """Move the bar to ``share`` (0 to 1), but never back."""
        step = max(self._step, int(STEPS * share))
        self._bar.update(step - self._step)
        self._step = step
