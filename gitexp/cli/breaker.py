from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.progress import Terminal
from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.iteration.checks import check_breaker
from gitexp.iteration.remark import remark
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Remark
from gitexp.text import one_line
from gitexp.verdict.breaker import reset as reset_after
from gitexp.verdict.breaker import tripped


@click.group(invoke_without_command=True)
@experiment_option
@click.pass_context
def breaker(ctx: click.Context, name: str | None) -> None:
    """Show whether the circuit breaker is open, or reset it.

    Three CRASHes in a row with the same error open it: then no step is taken (exit 4) until a person has looked. It is
    computed from the history, so no restart and no clone loses it.

    \b
    Examples:
      gitexp breaker
      gitexp breaker reset --why 'the disk was full; it has room again'
    """
    if ctx.invoked_subcommand is None:
        repo, ledger = open_ledger(name)
        check_breaker(ExperimentFiles.of(repo, ledger.name), ledger)
        click.echo("The circuit breaker is closed.")


@breaker.command()
@click.option("--why", required=True, help="What went wrong, and what you did about it: sealed in the history.")
def reset(why: str) -> None:
    """Close the circuit breaker, and seal the reason.

    \b
    Example:
      gitexp breaker reset --why 'the disk was full; it has room again'
    """
    if not one_line(why):
        raise GitexpError("A reset needs a reason.", "gitexp breaker reset --why 'what went wrong'")
    repo = Repository.discover(Path.cwd())

    def closed(ledger: Ledger) -> Remark:
        if not tripped(ledger):
            raise GitexpError("The circuit breaker is closed: there is nothing to reset.", "gitexp status")
        return reset_after(ledger, why.strip())

    done = remark(repo, history.current_name(repo), closed, Terminal())
    click.echo(f"The circuit breaker is closed again, after {done.of}.")
