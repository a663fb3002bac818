"""What a person sees while a run goes on: a bar in a terminal, a line at its start elsewhere. All on standard error."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from gitexp.run.curve import PERCENT
from gitexp.text import one_line, printable

_REDRAW = 0.1  # seconds


class Terminal:
    """An :class:`gitexp.observer.Observer` that draws. ``quiet`` leaves only sentences that matter.

    With a ``whole`` line, of what the runs are part of, both lines go away when a run is over.
    """

    def __init__(self, quiet: bool = False, whole: Callable[[], str] | None = None) -> None:
        self._draw = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._quiet = quiet
        self._whole = whole
        self._bar: Any = None

    def say(self, sentence: str) -> None:
        with suppress(OSError, ValueError):  # a terminal that was closed must not cost the run
            click.echo(printable(sentence), err=True)

    def run_starts(self, identity: str, budget: float) -> None:
        self._identity = identity
        self._budget = budget
        self._started = self._drawn = time.monotonic()
        self._said = ""
        self._share: float | None = None  # what the run itself says of its progress
        if self._draw:
            self._drawing(self._open)
        elif budget and not self._quiet and not self._whole:
            self.say(f"{identity}: training for {budget:g} s")

    def _drawing(self, draw: Callable[[], None]) -> None:
        """A terminal that was closed must not cost the run."""
        try:
            draw()
        except (OSError, ValueError):
            self._draw, self._bar = False, None

    def _open(self) -> None:
        if self._whole:
            click.echo(one_line(self._whole(), shutil.get_terminal_size().columns - 1), err=True)
        self._bar = click.progressbar(
            length=1000,
            label=self._identity,
            file=sys.stderr,
            show_eta=False,
            show_percent=True,
            width=24,
            bar_template="%(label)s  [%(bar)s]  %(info)s" if self._budget else "%(label)s  %(info)s",
            item_show_func=lambda item: item,
        )
        self._bar.__enter__()

    def run_prints(self, line: str) -> None:
        percent = PERCENT.search(line)
        if percent:
            self._share = min(1.0, float(percent[1]) / 100)
        self._said = line[percent.end() :].lstrip(") |") if percent else line

    def run_goes_on(self) -> None:
        now = time.monotonic()
        if self._bar is None or now < self._drawn + _REDRAW:
            return
        self._drawn = now
        share = self._share
        if share is None:  # it says nothing: then time tells, and only the end is the end
            share = min(0.99, (now - self._started) / self._budget) if self._budget else 0.0
        room = max(1, shutil.get_terminal_size().columns - len(self._identity) - 38)
        self._bar.pos = max(self._bar.pos, int(1000 * share))
        self._bar.current_item = one_line(self._said, room)
        self._drawing(self._bar.render_progress)

    def run_ends(self, completed: bool) -> None:
        if self._bar is not None:
            self._bar.pos = self._bar.length if completed else self._bar.pos
            self._bar.current_item = ""
            self._drawing(self._close)

    def _close(self) -> None:
        self._bar.render_progress()
        self._bar.__exit__(None, None, None)
        self._bar = None
        if self._whole:
            click.echo(2 * "\x1b[1A\x1b[2K", nl=False, err=True)  # up a line, and clear it
