from __future__ import annotations

import sys

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.table import columns
from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, headline, score_text, signed
from gitexp.text import from_bytes, one_line, plural, printable
from gitexp.views.export import dumps, iteration_json


@click.command()
@click.argument("one")
@click.argument("other", required=False)
@experiment_option
def diff(one: str, other: str | None, name: str | None) -> None:
    """Compare two iterations: metrics side by side, then the code.

    ONE is compared with OTHER: by default with the incumbent that it met.

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
    args = ("diff", color, "--no-ext-diff", "--no-textconv", old.tree, new.tree)
    text = from_bytes(repo.run(*args)).rstrip()
    return text if sys.stdout.isatty() and text == printable(text.replace("\x1b[", "")) else printable(text)


@click.command()
@experiment_option
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def best(name: str | None, json_: bool) -> None:
    """Show the best iteration, and how to take it.

    \b
    Example:
      gitexp best
    """
    _, ledger = open_ledger(name)
    found = ledger.incumbent
    if json_:
        click.echo(dumps(iteration_json(found, found.delta)))
        return
    click.echo(one_line(headline(found)))
    for key, value in _facts(ledger, found):
        click.echo(f"  {key:<9} {one_line(value)}")


def _facts(ledger: Ledger, found: Iteration) -> list[tuple[str, str]]:
    first = ledger.baseline
    runs = ledger.replicates()[found.id]
    scores = ", ".join(score_text(score) for score in runs.values())
    facts = [("runs", f"{plural(len(runs), 'run')}: {scores}"), ("commit", found.commit)]
    if found is not first and found.score is not None and first.score is not None:
        facts.insert(
            0, ("gained", f"{signed(found.score - first.score)} from the baseline's {score_text(first.score)}")
        )
    return [
        *facts,
        ("look", f"gitexp diff {first.id} {found.id}; gitexp why {found.id}"),
        ("take", "git cherry-pick -x " + found.commit[:10]),
    ]
