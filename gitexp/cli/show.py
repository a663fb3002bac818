from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.git.driver import PLAIN_LOG, UNFILTERED
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.text import from_bytes, printable

LOG_LINES = 20


@click.command()
@click.argument("iteration")
@experiment_option
def show(iteration: str, name: str | None) -> None:
    """Show one iteration: message, diff, the end of its log.

    \b
    Example:
      gitexp show exp004
    """
    repo, ledger = open_ledger(name)
    shown = history.find(ledger, iteration)
    click.echo(printable(from_bytes(repo.run("show", *PLAIN_LOG, *UNFILTERED, shown.commit))).rstrip())
    place = ExperimentFiles.of(repo, ledger.name)
    label = shown.candidate.label(1)
    lines = place.log_tail(label, LOG_LINES)
    if not lines:
        click.echo("\n(its log is not on this machine)")
        return
    click.echo(f"\nThe end of {place.log(label)}:")
    click.echo(printable("\n".join(lines)))
