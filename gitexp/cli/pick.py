from __future__ import annotations

from functools import partial

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.progress import Terminal
from gitexp.model import headline
from gitexp.review.pick import Picked, PickResult
from gitexp.review.pick import pick as take
from gitexp.review.recheck import recheck
from gitexp.text import one_line, short


@click.command()
@click.argument("iterations", nargs=-1, metavar="[EXP]...")
@click.option("--onto", "branch", required=True, metavar="BRANCH", help="The branch to put them on; made if new.")
@click.option(
    "--measure", is_flag=True, help="Run the result under the contract first; move BRANCH if the score holds."
)
@experiment_option
def pick(iterations: tuple[str, ...], branch: str, measure: bool, name: str | None) -> None:
    """Cherry-pick KEEPs onto a branch.

    All KEEPs but the baseline, or the iterations named, a DISCARD too. A baseline that holds files of its own (init
    --template) goes along. A new BRANCH starts at the commit that the baseline was made on. Each pick keeps its author
    and its trailers, and says where it is from, as `git cherry-pick -x` has it; what is on BRANCH already is skipped.

    They are made in a temporary work tree, and BRANCH moves once, at the end: your checkout is not touched, and if one
    does not apply, nothing is moved. One that needs a KEEP you left out is named, with the lines.

    \b
    Examples:
      gitexp pick --onto results
      gitexp pick exp004 exp007 --onto main --measure
    """
    repo, ledger = open_ledger(name)
    check = partial(recheck, repo, ledger, branch=branch, observer=Terminal()) if measure else None
    outcome = take(repo, ledger, iterations, branch, check)
    for picked in outcome.picks:
        click.echo(_line(picked, outcome.branch))
    click.echo(_summary(outcome))


def _line(picked: Picked, branch: str) -> str:
    if not picked.skipped:
        return f"{short(picked.commit)} {one_line(headline(picked.iteration))}"
    where = f" ({short(picked.commit)})" if picked.commit else ""
    return f"{'skipped':10} {picked.iteration.id}: {branch} has what it changes already{where}"


def _summary(outcome: PickResult) -> str:
    if outcome.tip == outcome.start:
        return f"{outcome.branch} is as it was." if outcome.old else "Nothing to pick."
    verb = "moved" if outcome.old else "made"
    return f"{outcome.branch} was {verb}; look: git log -p {short(outcome.start)}..{outcome.branch}"
