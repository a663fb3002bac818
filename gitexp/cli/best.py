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
    incumbent = ledger.incumbent
    if json_:
        click.echo(dumps(iteration_json(incumbent)))
        return
    click.echo(one_line(headline(incumbent)))
    for key, value in _facts(ledger, incumbent):
        click.echo(f"  {key:<9} {one_line(value)}")


def _facts(ledger: Ledger, incumbent: Iteration) -> list[tuple[str, str]]:
    first = ledger.baseline
    runs = ledger.replicates().get(incumbent.id, {})  # none, where somebody took its samples away
    scores = ", ".join(score_text(score) for score in runs.values())
    facts = [("runs", f"{plural(len(runs), 'run')}: {scores}"), ("commit", incumbent.commit)]
    if incumbent is not first and incumbent.score is not None and first.score is not None:
        facts.insert(
            0, ("gained", f"{signed(incumbent.score - first.score)} from the baseline's {score_text(first.score)}")
        )
    return [
        *facts,
        ("look", f"gitexp diff {first.id} {incumbent.id}; gitexp why {incumbent.id}"),
        ("take", "git cherry-pick -x " + short(incumbent.commit)),
    ]
