from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option, open_experiment
from gitexp.errors import GitexpError
from gitexp.files import write_output
from gitexp.ledger import cache, history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import NOTEBOOK, RESULTS
from gitexp.shell import command
from gitexp.views import results_tsv as table
from gitexp.views.experiment_md import experiment_md
from gitexp.views.on_disk import write_views


@click.command()
@experiment_option
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Write both into this folder.")
@click.option("--full", is_flag=True, help="Read the whole history again; use nothing that was cached.")
def render(name: str | None, output: Path | None, full: bool) -> None:
    """Compute results.tsv and EXPERIMENT.md from the history.

    The same history gives the same bytes, in any clone. Without -o both are written beside the script, and
    edits that people made in EXPERIMENT.md stay in it.

    \b
    Examples:
      gitexp render
      gitexp render -e depth -o /tmp/review     # also in a bare clone
      gitexp render --full
    """
    repo, wanted = open_experiment(name)
    place = ExperimentFiles.of(repo, wanted)
    if output:
        ledger = history.read(repo, wanted, history.tip(repo, wanted)) if full else history.load(repo, wanted)
        output.mkdir(parents=True, exist_ok=True)
        write_output(output / RESULTS, table.results_tsv(ledger).encode())
        write_output(output / NOTEBOOK, experiment_md(ledger).encode())
        click.echo(f"{output / RESULTS}\n{output / NOTEBOOK}")
        return
    table.forget(place)
    if full:
        cache.forget(place)
    ledger = history.load(repo, wanted)
    if repo.root is None:
        raise GitexpError(
            "This repository has no work tree.", command("gitexp", "render", "-e", ledger.name, "-o", "DIRECTORY")
        )
    with place.locked(repo, "render"):  # a step meanwhile would not know which edits are sealed
        write_views(repo, place, ledger)
    click.echo("\n".join(str(repo.top / path) for path in ledger.contract.views))
