from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import click

from gitexp.cli import INTERRUPTED
from gitexp.cli.device import share_device_option
from gitexp.cli.experiment import experiment_option, open_experiment
from gitexp.cli.init import positive
from gitexp.cli.progress import Terminal
from gitexp.cli.step import head
from gitexp.git.repository import Repository
from gitexp.iteration.finalize import StepResult, outcome_json
from gitexp.loop.limits import Limits
from gitexp.loop.loop import loop as run_loop
from gitexp.loop.proposers import Agent, Proposer
from gitexp.loop.summary import closing_summary
from gitexp.run.device import Busy
from gitexp.text import duration, printable
from gitexp.views.json_schema import SCHEMA, LoopEndJson, dumps

BAR = 24  # characters
STDERR = 2
LAST_STEP = "ends after this step; ^C again ends the step now, without a verdict."


class Session:
    """One run of a loop in a terminal: its bar, a line for each step, and ^C. ``what`` runs: a loop or a sweep."""

    def __init__(self, what: str, limits: Limits, busy: Busy, json_: bool) -> None:
        self._what = what
        self._limits = limits
        self._busy = busy
        self._json = json_
        self._started = time.monotonic()
        self._steps = 0
        self.interrupted = False
        self.terminal = Terminal(quiet=json_, whole=self._whole)

    def _whole(self) -> str:
        hours = (time.monotonic() - self._started) / 3600
        shares = [(self._steps, self._limits.steps), (hours, self._limits.hours)]
        share = max((min(1.0, done / limit) for done, limit in shares if limit), default=0.0)
        of = f" of {self._limits.steps}" if self._limits.steps else ""
        until = f" of {duration(self._limits.hours * 3600)}" if self._limits.hours else ""
        bar = "#" * round(BAR * share) + "-" * (BAR - round(BAR * share))
        shown = f"[{bar}]  " if self._limits.steps or self._limits.hours else ""
        return f"{self._what}  {shown}step {self._steps + 1}{of}, {duration(hours * 3600)}{until}"

    def show(self, outcome: StepResult) -> None:
        """Print the result of a step."""
        self._steps += 1
        if self._json:
            click.echo(dumps(outcome_json(outcome)))
        else:
            click.echo(head(outcome))

    @contextmanager
    def ending_gently(self) -> Iterator[None]:
        """Let the first ^C ask the loop to end after its step, and the second end the step."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            with suppress(
                OSError
            ):  # not click: the signal may interrupt a write to a stream, which cannot be re-entered
                os.write(STDERR, f"The {self._what} {LAST_STEP}\n".encode())

        before = signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def run(self, repo: Repository, name: str, proposer: Proposer) -> int:
        """Run the loop to its end and print why it ended; the exit code. Raises what must be mended first."""
        with self.ending_gently():
            result = run_loop(
                repo, name, proposer, self._limits, self.terminal, self.show, lambda: self.interrupted, self._busy
            )
        summary = closing_summary(result, self._what)
        if self._json:
            click.echo(dumps(LoopEndJson(schema=SCHEMA, ended=result.why, steps=len(result.steps), summary=summary)))
        else:
            click.echo("\n" * bool(result.steps) + printable(summary))
        if result.error:
            raise result.error
        return INTERRUPTED if self.interrupted else 0


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say when a loop ends; the command is given them as ``limits``."""
    options = (
        click.option("--steps", type=click.IntRange(min=1), help="End after N steps.", metavar="N"),
        click.option("--hours", type=float, callback=positive, metavar="H", help="Begin no step after H hours."),
        click.option("--until", type=float, metavar="SCORE", help="End when the incumbent's score is this good."),
        click.option(
            "--patience",
            type=click.IntRange(min=1),
            metavar="K",
            help="End after K steps in a row without a KEEP, those of earlier runs included.",
        ),
        click.option("--pause", type=float, callback=positive, metavar="SECONDS", help="Wait between two steps."),
        share_device_option(Busy.WAIT),
        click.option("--json", "json_", is_flag=True, help="Print one JSON object a step, and one at the end."),
    )

    @wraps(command)
    def limited(
        *args: Any,
        steps: int | None,
        hours: float | None,
        until: float | None,
        patience: int | None,
        pause: float | None,
        **others: Any,
    ) -> None:
        command(*args, limits=Limits(steps, hours, until, patience, pause or 0.0), **others)

    decorated: Callable[..., None] = limited
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


@click.command(context_settings={"allow_interspersed_args": False})  # what follows COMMAND is its own
@limit_options
@experiment_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
@click.pass_context
def loop(
    ctx: click.Context, name: str | None, limits: Limits, busy: Busy, json_: bool, command: tuple[str, ...]
) -> None:
    """Let COMMAND propose one change after another, and take each as a step.

    Each round runs COMMAND, an agent's command line or a script, in the current folder. COMMAND finds the brief (see:
    gitexp brief) on its standard input and in the file $GITEXP_BRIEF, and edits the editable files. It may describe its
    edit in the file $GITEXP_MESSAGE; else the last line that it prints is the description, or else the names of what
    changed. Then the edit is a step.

    The loop ends on a limit, on an open circuit breaker, on a file STOP at the top of the work tree, after three rounds
    in a row that brought nothing to run, and on ^C, after the step. Start it again and it goes on from the history,
    after kill -9 too. An edit that is not tried (it was tried before, is outside the editable files, or the pre-run
    hook refused it) is kept under refs/gitexp/saved/, and the next round is told why it was refused.

    \b
    Examples:
      gitexp loop --hours 8 --patience 20 -- claude -p --permission-mode acceptEdits
      gitexp loop --steps 10 -- ./mutate.py
    """
    repo, name = open_experiment(name)
    session = Session("loop", limits, busy, json_)
    ctx.exit(session.run(repo, name, Agent(repo, command, Path.cwd(), session.terminal)))
