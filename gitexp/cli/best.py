from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, headline, score_text, signed
from gitexp.text import one_line, plural, short
from gitexp.views.json_schema import dumps, iteration_json


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
        click.echo(dumps(iteration_json(found)))
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
        ("take", "git cherry-pick -x " + short(found.commit)),
    ]
