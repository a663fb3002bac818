from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_experiment, open_ledger
from gitexp.ledger import logs as stored
from gitexp.text import plural


@click.group()
def logs() -> None:
    """Push logs and loss curves to a remote, or fetch them.

    A clone has the whole history and no logs: logs stay on the machine that ran, in the git directory. These commands
    carry the last 64 kB of each log, and the curves, as the ref refs/gitexp/logs/NAME, which plain git neither pushes
    nor fetches.

    \b
    Examples:
      gitexp logs push origin
      gitexp logs fetch origin
    """


@logs.command()
@click.argument("remote", default="origin")
@experiment_option
def push(remote: str, name: str | None) -> None:
    """Push the logs and curves that this machine has.

    \b
    Example:
      gitexp logs push origin
    """
    repo, ledger = open_ledger(name)
    count = stored.push(repo, ledger, remote)
    click.echo(f"{remote} has {plural(count, 'file')} of {ledger.name} now, at {stored.ref(ledger.name)}.")


@logs.command()
@click.argument("remote", default="origin")
@experiment_option
def fetch(remote: str, name: str | None) -> None:
    """Fetch the logs and curves that this machine lacks.

    \b
    Example:
      gitexp logs fetch origin
    """
    repo, wanted = open_experiment(name)
    count = stored.fetch(repo, wanted, remote)
    click.echo(f"Fetched {plural(count, 'file')} of {wanted} from {remote}.")
