from __future__ import annotations

import shutil
from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.views.plot_file import save
from gitexp.views.terminal_plot import running_best

HEIGHT = 20  # lines


@click.command()
@experiment_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture to this file: .png, .svg or .pdf.",
)
def plot(name: str | None, output: Path | None) -> None:
    """Draw the running best: in the terminal, or as a picture.

    \b
    Examples:
      gitexp plot
      gitexp plot -o best.png     # needs: pip install 'gitexp[plot]'
    """
    _, ledger = open_ledger(name)
    if output:
        save(ledger, output)
        click.echo(output)
        return
    size = shutil.get_terminal_size((100, 24))
    click.echo("\n".join(running_best(ledger, size.columns, min(HEIGHT, size.lines - 1))))
