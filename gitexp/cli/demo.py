from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from gitexp import shell
from gitexp.cli.progress import Terminal
from gitexp.cli.step import outcome_text
from gitexp.cli.table import table
from gitexp.git.driver import PLAIN_LOG
from gitexp.git.repository import Repository
from gitexp.ledger.ledger import Ledger
from gitexp.model import NOTEBOOK, RESULTS
from gitexp.setup.demo import BUDGET, EDITS, make, play
from gitexp.shell import word
from gitexp.text import from_bytes, printable
from gitexp.views import report


@click.command()
@click.argument("directory", default="gitexp-demo", type=click.Path(path_type=Path))
def demo(directory: Path) -> None:
    """Make a repository and run a small experiment in it, start to end.

    It writes the MLX template into DIRECTORY (gitexp-demo by default), then runs the baseline and four scripted
    iterations of some seconds each. The verdicts are computed from these runs; none is prepared.

    \b
    Example:
      gitexp demo /tmp/demo
    """
    repo = make(Path(os.path.realpath(directory)))
    click.echo(
        f"{directory}: a baseline, run twice to know the noise, and {len(EDITS)} changes. Each run trains for "
        f"{BUDGET:g} s; a promising change is run again."
    )
    ledger = play(repo, Terminal(), lambda outcome: click.echo(outcome_text(outcome)))
    click.echo(_summary(repo, ledger, directory))
    if report.available():
        click.echo(f"A page to look at: {report.write(repo, ledger)}")
    click.echo(f"Go on with: {go_on(directory)}")


def _summary(repo: Repository, ledger: Ledger, directory: Path) -> str:
    log = printable(from_bytes(repo.run("log", "--oneline", *PLAIN_LOG))).rstrip()
    return f"""
$ gitexp log
{table(ledger.iterations)}

$ git log --oneline
{log}

The table is in {directory / RESULTS}, the notebook in {directory / NOTEBOOK}: both are computed from this history."""


def go_on(directory: Path) -> str:
    """The command line to go on with, as the shell that started this program can run it."""
    here, program = f"cd {shell.file(directory)}", Path(sys.argv[0]).absolute().with_name("gitexp")
    if not program.is_file():  # python -m gitexp
        return f"{here} && {word(sys.executable)} -m gitexp status"
    on_path = shutil.which("gitexp")
    if on_path and program.samefile(on_path):
        return f"{here} && gitexp status"
    return f'export PATH={word(program.parent)}:"$PATH" && {here} && gitexp status'
