"""What a person sees while a run goes on: a bar in a terminal, a line at its start elsewhere. All on standard error."""

from __future__ import annotations

import re
import shutil
import sys
import time
from typing import Any

import click

from gitexp.text import one_line, printable

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_REDRAW = 0.1  # seconds


class Terminal:
    """An :class:`gitexp.observer.Observer` that draws. ``quiet`` leaves only sentences that matter."""

    def __init__(self, quiet: bool = False) -> None:
        self._draw = not quiet and sys.stderr.isatty()
        self._quiet = quiet
        self._bar: Any = None
        self._identity = ""
        self._done = 0
        self._drawn = 0.0

    def say(self, sentence: str) -> None:
        click.echo(printable(sentence), err=True)

    def run_starts(self, identity: str, budget: float) -> None:
        self._identity = identity
        self._done = 0
        if self._draw:
            self._bar = click.progressbar(
                length=1000,
                label=identity,
                file=sys.stderr,
                show_eta=False,
                show_percent=True,
                width=24,
                item_show_func=lambda item: item,
            )
            self._bar.__enter__()
        elif not self._quiet:
            click.echo(f"{identity}: training for {budget:g} s", err=True)

    def run_prints(self, line: str) -> None:
        now = time.monotonic()
        if self._bar is None or now < self._drawn + _REDRAW:
            return
        self._drawn = now
        percent = _PERCENT.search(line)
        done = min(1000, int(float(percent[1]) * 10)) if percent else self._done
        said = line[percent.end() :].lstrip(") |") if percent else line
        room = max(0, shutil.get_terminal_size().columns - len(self._identity) - 38)
        self._bar.update(max(0, done - self._done), current_item=one_line(said, room) if room > 1 else "")
        self._done = max(self._done, done)

    def run_ends(self, completed: bool) -> None:
        if self._bar is not None:
            self._bar.update(1000 - self._done if completed else 0, current_item="")
            self._bar.__exit__(None, None, None)
            self._bar = None
