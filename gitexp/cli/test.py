from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli.device import share_device_option
from gitexp.cli.progress import Terminal
from gitexp.git.repository import Repository
from gitexp.iteration.heldout import look
from gitexp.ledger import history
from gitexp.model import score_text
from gitexp.run.device import Busy


@click.command()
@click.argument("iteration", default="")
@share_device_option()
def test(iteration: str, busy: Busy) -> None:
    """Score a KEEP on the held-out split, once, and seal the score.

    ITERATION is the incumbent by default. It is trained once more, and this time its script also prints the test score,
    which becomes results.tsv's test_score. A second look is recorded as the second: a split that is looked at twice is
    no longer held out.

    \b
    Example:
      gitexp test
    """
    repo = Repository.discover(Path.cwd())
    name = history.current_name(repo)
    done = look(repo, name, iteration, Terminal(), busy)
    looks = sum(remark.kind == "test" for remark in history.load(repo, name).remarks)
    again = f" This was look {looks} at this split: it is no longer held out." if looks > 1 else ""
    click.echo(f"{done.of}: {score_text(done.score)} on the held-out split.{again}")
