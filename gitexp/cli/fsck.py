from __future__ import annotations

from dataclasses import asdict

import click

from gitexp.cli.read import experiment_option, open_experiment
from gitexp.export import dumps
from gitexp.fsck import check
from gitexp.model import BRANCH_PREFIX
from gitexp.text import printable


@click.command()
@experiment_option
@click.option("--json", "json_", is_flag=True, help="Print a JSON array of findings.")
@click.pass_context
def fsck(ctx: click.Context, name: str | None, json_: bool) -> None:
    """Check that branch, trailers and files agree.

    Each finding has a code, a sentence, and the command that mends it or looks closer. Nothing of the repository's code
    is run. Exits with 1 when there is any finding.

    \b
    Example:
      gitexp fsck
    """
    repo, name = open_experiment(name)
    findings = check(repo, name)
    if json_:
        click.echo(dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(printable(f"{finding.code}: {finding.sentence}\n  try: {finding.repair}"))
        if not findings:
            click.echo(f"{BRANCH_PREFIX}{name} is in order.")
    ctx.exit(1 if findings else 0)
