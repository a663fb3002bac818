from __future__ import annotations

import sys

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.table import columns
from gitexp.errors import GitexpError
from gitexp.git.driver import UNFILTERED
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, score_text
from gitexp.text import from_bytes, one_line, printable


@click.command()
@click.argument("one")
@click.argument("other", required=False)
@experiment_option
def diff(one: str, other: str | None, name: str | None) -> None:
    """Compare two iterations: metrics side by side, then the code.

    ONE is compared with OTHER, or else with the incumbent that it met.

    \b
    Examples:
      gitexp diff exp004
      gitexp diff exp000 exp012
    """
    repo, ledger = open_ledger(name)
    new = history.find(ledger, other or one)
    old = history.find(ledger, one) if other else ledger.met_by(new)
    if old is None:
        raise GitexpError(f"{new.id} is the baseline: it met no incumbent.", f"gitexp diff {new.id} expNNN")
    click.echo(columns([["", old.id, new.id, "difference"], *_metrics(ledger, old, new)], left=1))
    click.echo(f"\n{old.id} {one_line(old.description)}\n{new.id} {one_line(new.description)}\n")
    click.echo(_code(repo, old, new) or "The code is the same.")


def _metrics(ledger: Ledger, old: Iteration, new: Iteration) -> list[list[str]]:
    """The contract's metric, memory, seconds, and every other metric that either reported."""
    sides = [_values(ledger, iteration) for iteration in (old, new)]
    names = dict.fromkeys(name for side in sides for name, value in side.items() if value is not None)
    return [_row(name, sides[0].get(name), sides[1].get(name)) for name in names]


def _values(ledger: Ledger, iteration: Iteration) -> dict[str, float | None]:
    m = iteration.measurement
    return {
        one_line(ledger.contract.metric): m.score,
        "memory_mb": m.memory_mb,
        "seconds": m.seconds,
        "runs": float(sum(sample.iteration == iteration.id for sample in m.samples)),
        **{one_line(name): value for name, value in m.metrics},
    }


def _row(name: str, old: float | None, new: float | None) -> list[str]:
    difference = None if old is None or new is None else new - old
    shown = _short(difference)
    return [name, _short(old), _short(new), f"+{shown}" if difference and difference > 0 else shown]


def _short(value: float | None) -> str:
    return f"{value:.0f}" if value is not None and value.is_integer() else score_text(value)


def _code(repo: Repository, old: Iteration, new: Iteration) -> str:
    color = "--color=always" if sys.stdout.isatty() else "--color=never"
    args = ("diff", color, *UNFILTERED, old.tree, new.tree)
    text = from_bytes(repo.run(*args)).rstrip()
    return text if sys.stdout.isatty() and text == printable(text.replace("\x1b[", "")) else printable(text)
