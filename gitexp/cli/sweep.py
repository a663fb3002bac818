from __future__ import annotations

from pathlib import Path

import click

from gitexp import history
from gitexp.cli.progress import Terminal
from gitexp.cli.step import outcome_text
from gitexp.errors import GitexpError, NotNewError
from gitexp.export import dumps
from gitexp.git import Repository
from gitexp.loop import duration
from gitexp.model import Ledger
from gitexp.notify import outcome_json
from gitexp.search import KINDS, LISTED, ONE_AT_A_TIME
from gitexp.sweep import Sweep, attempt, open_sweep, planned, propose, seconds_per_step, settle
from gitexp.text import printable


@click.command()
@click.argument("asked", metavar="NAME=VALUES...", nargs=-1, required=True)
@click.option(
    "--search",
    "kind",
    type=click.Choice(KINDS),
    default=ONE_AT_A_TIME,
    show_default=True,
    help="Each value against the incumbent; the product of all values; drawn at random; suggested by Optuna.",
)
@click.option("--steps", type=click.IntRange(min=1), help="Take at most N steps; random and tpe need it.")
@click.option("--dry-run", is_flag=True, help="Print what would be tried, and about how long it takes.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object a line.")
def sweep(asked: tuple[str, ...], kind: str, steps: int | None, dry_run: bool, json_: bool) -> None:
    """Search over constants: one step for each setting of them.

    NAME is a constant of an editable file: NAME or CLASS.NAME in Python, a dotted key in TOML, YAML or JSON
    (optimizer.lr). Where more than one file has it, PATH:NAME says which. VALUES are V1,V2,... or a range, LOW..HIGH or
    LOW..HIGH:log, which stands for five values unless the search draws from it.

    What has an iteration is not tried again, so that a sweep that was ended goes on when it is typed again.

    \b
    Examples:
      gitexp sweep DEPTH=2,4,8 LR=1e-4..1e-2:log --dry-run
      gitexp sweep DEPTH=1..8 LR=1e-4..1e-2:log --search tpe --steps 30
    """
    if kind not in LISTED and steps is None:
        raise GitexpError(f"The search {kind} has no end of its own.", f"gitexp sweep --search {kind} --steps 30 ...")
    repo = Repository.discover(Path.cwd())
    name = history.current_name(repo)
    ledger = history.load(repo, name)
    opened = open_sweep(repo, ledger, asked, kind)
    if dry_run:
        _print_plan(repo, ledger, opened, steps, json_)
    else:
        _take(repo, name, opened, steps, json_)


def _take(repo: Repository, name: str, opened: Sweep, steps: int | None, json_: bool) -> None:
    terminal = Terminal(quiet=json_)
    settle(repo, name, opened, terminal)
    refused: list[tuple[tuple[str, str], ...]] = []
    taken = 0
    while steps is None or taken < steps:
        setter = propose(repo, history.load(repo, name), opened, refused)
        if setter is None:
            terminal.say("Nothing is left to try.")
            return
        try:
            outcome = attempt(repo, name, opened, setter, terminal)
        except NotNewError as refusal:
            terminal.say(f"{setter.proposal.message} is skipped: {refusal}")
            refused.append(setter.proposal.params)
            continue
        taken += 1
        click.echo(dumps(outcome_json(outcome)) if json_ else outcome_text(outcome))


def _print_plan(repo: Repository, ledger: Ledger, opened: Sweep, steps: int | None, json_: bool) -> None:
    plan = planned(repo, ledger, opened)[:steps]
    count = len(plan) if opened.kind in LISTED else steps or 0
    each = seconds_per_step(ledger)
    if json_:
        for message, setting in plan:
            click.echo(dumps({"message": message, "params": dict(setting)}))
        click.echo(dumps({"steps": count, "seconds": round(count * each, 1)}))
        return
    for message, _ in plan:
        click.echo(f"  {printable(message)}")
    drawn = "" if opened.kind in LISTED else f", each chosen by {opened.kind} when the one before is sealed"
    click.echo(
        f"{count} step{'' if count == 1 else 's'}{drawn}: about {duration(count * each)}, at {duration(each)} each"
    )
