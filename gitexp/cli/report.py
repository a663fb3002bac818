from __future__ import annotations

import time
from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.views import report as page

EVERY = 1.0  # seconds between two checks of the branch
RELOAD = 10  # seconds after which the page loads its file again


@click.command()
@experiment_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to FILE, not into the git directory.",
)
@click.option("--open", "open_", is_flag=True, help="Open it in the browser.")
@click.option("--watch", is_flag=True, help="Write it again after each step, until ^C; the page reloads.")
def report(name: str | None, output: Path | None, open_: bool, watch: bool) -> None:
    """Make a page to look at: one HTML file that opens offline.

    It shows the running best with every iteration, a table to sort and filter, loss curves, score against memory and
    time, what was learned, and what crashed and why. For each iteration it has the diff, the reason, and the end of the
    log, if that is on this machine. It needs an extra: pip install 'gitexp[report]'.

    \b
    Examples:
      gitexp report --open
      gitexp report -o /tmp/depth.html
      gitexp report --watch --open
    """
    repo, ledger = open_ledger(name)
    file = page.write(repo, ledger, output, RELOAD if watch else 0)
    click.echo(file)
    if open_ and click.launch(str(file)):
        click.echo(f"No browser could be started; open it yourself: {file.resolve().as_uri()}", err=True)
    if watch:
        _watch(repo, ledger, file)


def _watch(repo: Repository, ledger: Ledger, file: Path) -> None:
    """Write the report whenever the branch moves, until ^C; the last one does not reload."""
    click.echo("The report is written again after each step, until ^C.", err=True)
    try:
        while True:
            time.sleep(EVERY)
            if (tip := history.tip(repo, ledger.name)) != ledger.tip:
                ledger = history.load(repo, ledger.name, tip)
                page.write(repo, ledger, file, RELOAD)
    except KeyboardInterrupt:
        page.write(repo, ledger, file)
