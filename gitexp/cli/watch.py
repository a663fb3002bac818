from __future__ import annotations

import shutil
import sys
import time

import click

from gitexp.cli.experiment import experiment_option, open_experiment
from gitexp.cli.table import table
from gitexp.iteration import status
from gitexp.iteration.status import Live, Running
from gitexp.model import score_text
from gitexp.text import duration, one_line, plural
from gitexp.views.terminal_plot import loss, running_best

EVERY = 1.0  # seconds between two pages
VERDICTS = 8
CURVE = 12  # lines, where there is room
BAR = 30
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # the alternate screen, without a cursor
TOP, REST, BELOW = "\x1b[H", "\x1b[K", "\x1b[J"  # go to its top; clear the rest of a line; clear what is below


@click.command()
@experiment_option
def watch(name: str | None) -> None:
    """Watch a running loop from another terminal, until ^C.

    The running best, the current run with its loss and the time it has left, and the last verdicts. It writes nothing.
    Where the output is not a terminal, one page is printed.

    \b
    Example:
      gitexp watch
    """
    repo, wanted = open_experiment(name)
    now = status.look(repo, wanted)
    if not sys.stdout.isatty():
        size = shutil.get_terminal_size((100, 40))
        click.echo("\n".join(page(now, size.columns, size.lines)))
        return
    click.echo(ENTER, nl=False)
    try:
        while True:
            size = shutil.get_terminal_size()
            lines = page(now, size.columns, size.lines)
            click.echo(TOP + f"{REST}\n".join(lines) + REST + BELOW, nl=False)
            time.sleep(EVERY)
            now = status.look(repo, wanted, now)
    except KeyboardInterrupt:
        pass
    finally:
        click.echo(LEAVE, nl=False)


def page(now: Live, width: int, height: int) -> list[str]:
    """The page as lines: at most ``height``, of at most ``width`` columns. A small one has no curves."""
    top, run, last = _head(now, width), _run(now, width), _verdicts(now, width)
    room = height - len(top) - len(run) - len(last) - 4
    best = running_best(now.ledger, width, min(CURVE, room)) if room >= 6 else []
    room -= len(best)
    curve = loss(now.running.curve, width, min(CURVE, room)) if now.running and room >= 6 else []
    parts = [top, best, [*run, *curve], last]
    lines = [line for part in parts if part for line in ("", *part)][1:]
    return lines[:height]


def _head(now: Live, width: int) -> list[str]:
    ledger, best = now.ledger, now.ledger.incumbent
    counts = ledger.tally()
    goal = f": {ledger.notes.goal}" if ledger.notes.goal else ""
    return [
        one_line(f"exp/{ledger.name}{goal}", width),
        one_line(f"{plural(len(ledger.iterations), 'iteration')}: {counts}; {ledger.contract.metric}", width),
        one_line(f"incumbent {best.id} {score_text(best.score)}: {best.description}", width),
    ]


def _run(now: Live, width: int) -> list[str]:
    if now.running:
        return _running(now.running, now.ledger.contract.budget, width)
    what = now.holder or now.loop
    return [one_line(f"{what}: no run yet" if what else "Nothing is running.", width)]


def _running(run: Running, budget: float, width: int) -> list[str]:
    last = run.curve[-1] if run.curve else None
    share = last.share if last and last.share is not None else min(1.0, run.spent / budget)
    bar = "#" * round(BAR * share) + "-" * (BAR - round(BAR * share))
    left = f"{duration(budget * (1 - share))} left" if share < 1 else "being scored"
    text = f"loss {last.loss:.4g}, {left}" if last else f"{left}  {run.said}"
    which = run.iteration if run.run == 1 else f"{run.iteration}, run {run.run}"
    return [one_line(f"{which}: {run.description}", width), one_line(f"[{bar}] {share:4.0%}  {text}", width)]


def _verdicts(now: Live, width: int) -> list[str]:
    return table(now.ledger.iterations[-VERDICTS:], width).splitlines()
