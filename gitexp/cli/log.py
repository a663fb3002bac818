from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.table import columns, table, tsv
from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Status, score_text, signed
from gitexp.text import text_cell, visible
from gitexp.views.json_schema import SCHEMA, ExperimentJson, counts_json, dumps, iteration_json
from gitexp.views.terminal_plot import running_best, sparkline

HEIGHT = 14  # lines of the plot


@click.command()
@experiment_option
@click.option("--all", "all_", is_flag=True, help="List the experiments instead, local ones and those of remotes.")
@click.option("--graph", is_flag=True, help="Draw the running best above the table.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in Status], case_sensitive=False),
    help="Only iterations with this verdict. May be repeated.",
)
@click.option("--grep", metavar="TEXT", help="Only iterations whose description contains TEXT, in upper or lower case.")
@click.option("--changed", metavar="NAME", help="Only iterations that changed this constant, function, class or file.")
@click.option("-n", "--max-count", type=click.IntRange(min=1), help="Only the last N iterations.")
@click.option("--json", "form", flag_value="json", help="Print a JSON array.")
@click.option("--tsv", "form", flag_value="tsv", help="Print tab-separated values.")
def log(
    name: str | None,
    all_: bool,
    graph: bool,
    statuses: tuple[str, ...],
    grep: str | None,
    changed: str | None,
    max_count: int | None,
    form: str | None,
) -> None:
    """List the iterations, oldest first, or all experiments.

    \b
    Examples:
      gitexp log --status KEEP --graph
      gitexp log --changed MATRIX_LR
      gitexp log --json | jq '.[].score'
      gitexp log --all
    """
    if all_:
        click.echo(_experiments(Repository.discover(Path.cwd()), form))
        return
    _, ledger = open_ledger(name)
    wanted = {status.upper() for status in statuses} or {status.value for status in Status}
    shown = _last(
        ledger, max_count, lambda each: each.status.value in wanted and _says(each, grep) and _changed(each, changed)
    )
    if form == "json":
        click.echo(dumps([*map(iteration_json, shown)]))
    elif form == "tsv":
        click.echo(tsv(shown))
    else:
        if graph:
            click.echo("\n".join(running_best(ledger, shutil.get_terminal_size((120, 24)).columns, HEIGHT)) + "\n")
        click.echo(table(shown))


def _last(ledger: Ledger, count: int | None, is_meant: Callable[[Iteration], bool]) -> list[Iteration]:
    """The last so many that are meant, or all; no more of a long history are read than it takes."""
    shown: list[Iteration] = []
    end, few = len(ledger.iterations), count or len(ledger.iterations)
    while end and (count is None or len(shown) < count):
        start = max(0, end - few)
        shown = [*filter(is_meant, ledger.iterations[start:end]), *shown]
        end, few = start, 2 * few
    return shown[-(count or 0) :]


def _says(iteration: Iteration, text: str | None) -> bool:
    return text is None or text.lower() in iteration.description.lower()


def _changed(iteration: Iteration, name: str | None) -> bool:
    return name is None or any(name in (thing, thing.partition(" ")[2]) for thing in iteration.candidate.changes)


def _experiments(repo: Repository, form: str | None) -> str:
    """All experiments, the best of each and the way there; one that cannot be read is named with the reason."""
    lines: list[list[str]] = []
    data: list[ExperimentJson] = []
    for name in history.names(repo):
        try:
            ledger = history.load(repo, name)
        except GitexpError as error:
            lines.append([visible(name), *[""] * 6, visible(error.sentence)])
            continue
        lines.append(_experiment(ledger))
        best = iteration_json(ledger.incumbent)
        data.append({"schema": SCHEMA, "experiment": name, "best": best, **counts_json(ledger)})
    headers = ["experiment", "metric", "baseline", "best", "delta", "KEEP", "DISCARD, CRASH", "running best"]
    if form == "json":
        return dumps(data)
    if form == "tsv":
        return "\n".join("\t".join(line) for line in [headers, *lines])
    return columns([headers, *lines], left=2) if lines else "There is no experiment here yet: gitexp init"


def _experiment(ledger: Ledger) -> list[str]:
    first, best = ledger.baseline.score, ledger.incumbent.score
    delta = None if first is None or best is None else best - first
    counts = counts_json(ledger)
    return [
        visible(ledger.name),
        text_cell(visible(ledger.contract.metric)),
        score_text(first),
        score_text(best),
        signed(delta),
        str(counts["KEEP"]),
        f"{counts['DISCARD']}, {counts['CRASH']}",
        sparkline(ledger),
    ]
