from __future__ import annotations

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.loop import Session, limit_options
from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.ledger.ledger import Ledger
from gitexp.loop.limits import Limits
from gitexp.run.device import Busy
from gitexp.sweep.strategies import KINDS, LISTED, ONE_AT_A_TIME
from gitexp.sweep.sweep import Sweep, SweepProposer, open_sweep, seconds_per_step
from gitexp.text import duration, printable
from gitexp.views.json_schema import SCHEMA, PlanJson, SettingJson, dumps


@click.command()
@click.argument("asked", metavar="NAME=VALUES...", nargs=-1, required=True)
@click.option(
    "--search",
    "kind",
    type=click.Choice(KINDS),
    default=ONE_AT_A_TIME,
    show_default=True,
    help="How settings are chosen: each value against the incumbent, all combinations, at random, or by Optuna.",
)
@click.option(
    "--prune",
    is_flag=True,
    help="End a run early whose loss is worse than the median of earlier runs at that time.",
)
@click.option("--dry-run", is_flag=True, help="Print the settings that would be tried, and about how long they take.")
@limit_options
@experiment_option
@click.pass_context
def sweep(
    ctx: click.Context,
    name: str | None,
    asked: tuple[str, ...],
    kind: str,
    prune: bool,
    dry_run: bool,
    limits: Limits,
    busy: Busy,
    json_: bool,
) -> None:
    """Search over constants: one step for each setting of them.

    NAME is a constant of an editable file: NAME or CLASS.NAME in Python, a dotted key in TOML, YAML or JSON
    (optimizer.lr). Where more than one file has it, PATH:NAME says which. VALUES are V1,V2,... or a range, LOW..HIGH or
    LOW..HIGH:log, which stands for five values unless the search draws from it.

    A setting that has an iteration is not tried again: type the same line to go on with a sweep that was ended.

    \b
    Examples:
      gitexp sweep DEPTH=2,4,8 LR=1e-4..1e-2:log --dry-run
      gitexp sweep DEPTH=1..8 LR=1e-4..1e-2:log --search tpe --steps 30
    """
    if kind not in LISTED and limits == Limits(pause=limits.pause):
        raise GitexpError(f"The search {kind} does not end by itself.", f"gitexp sweep --search {kind} --steps 30 ...")
    repo, ledger = open_ledger(name)
    opened = open_sweep(repo, ledger, asked, kind, prune)
    if dry_run:
        _print_plan(repo, ledger, opened, limits.steps, json_)
    else:
        ctx.exit(Session("sweep", limits, busy, json_).run(repo, ledger.name, SweepProposer(repo, opened)))


def _print_plan(repo: Repository, ledger: Ledger, opened: Sweep, steps: int | None, json_: bool) -> None:
    plan = SweepProposer(repo, opened).plan(ledger)[:steps]
    count = len(plan) if opened.kind in LISTED else steps or 0
    each = seconds_per_step(ledger)
    if json_:
        for message, setting in plan:
            click.echo(dumps(SettingJson(schema=SCHEMA, message=message, params=dict(setting))))
        click.echo(dumps(PlanJson(schema=SCHEMA, steps=count, seconds=round(count * each, 1))))
        return
    for message, _ in plan:
        click.echo(f"  {printable(message)}")
    drawn = "" if opened.kind in LISTED else f", each chosen by {opened.kind} when the one before is sealed"
    click.echo(
        f"{count} step{'' if count == 1 else 's'}{drawn}: about {duration(count * each)}, at {duration(each)} each"
    )
