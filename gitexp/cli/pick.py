from __future__ import annotations

from functools import partial

import click

from gitexp.cli.device import share_device_option
from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.progress import Terminal
from gitexp.model import headline
from gitexp.review.pick import Picked, PickResult
from gitexp.review.pick import pick as take
from gitexp.review.remeasure import check_picked
from gitexp.run.device import Busy
from gitexp.shell import git_command
from gitexp.text import one_line, short, visible


@click.command()
@click.argument("iterations", nargs=-1, metavar="[EXP]...")
@click.option("--onto", "branch", required=True, metavar="BRANCH", help="The branch to pick onto; a new one is made.")
@click.option(
    "--measure", is_flag=True, help="Run the result under the contract first; move BRANCH only if the score holds."
)
@share_device_option()
@experiment_option
def pick(iterations: tuple[str, ...], branch: str, measure: bool, busy: Busy, name: str | None) -> None:
    """Cherry-pick KEEPs onto a branch.

    It picks all KEEPs but the baseline, or the iterations that you name, which may be DISCARDs. A baseline that holds
    files of its own (init --template) goes along. A new BRANCH starts at the commit below the baseline. Each pick keeps
    its author and its trailers, and names its source as `git cherry-pick -x` does. A change that BRANCH has already is
    skipped.

    The picks are made in a temporary work tree, and BRANCH moves once, at the end: your checkout is not touched, and if
    one iteration does not apply, BRANCH does not move. If an iteration needs a KEEP that you left out, the message
    names both, with the lines.

    \b
    Examples:
      gitexp pick --onto results
      gitexp pick exp004 exp007 --onto main --measure
    """
    repo, ledger = open_ledger(name)
    check = partial(check_picked, repo, ledger, branch=branch, observer=Terminal(), busy=busy) if measure else None
    outcome = take(repo, ledger, iterations, branch, check)
    for picked in outcome.picks:
        click.echo(_line(picked, outcome.branch))
    click.echo(_summary(outcome))


def _line(picked: Picked, branch: str) -> str:
    if not picked.skipped:
        return f"{short(picked.commit)} {one_line(headline(picked.iteration))}"
    where = f" ({short(picked.commit)})" if picked.commit else ""
    return f"{'skipped':10} {picked.iteration.id}: {visible(branch)} has this change already{where}"


def _summary(outcome: PickResult) -> str:
    if outcome.tip == outcome.start:
        return f"{visible(outcome.branch)} has not changed." if outcome.old else "There is nothing to pick."
    verb = "moved" if outcome.old else "made"
    look = git_command("log", "-p", f"{short(outcome.start)}..{outcome.branch}")
    return f"{visible(outcome.branch)} was {verb}; look: {look}"
