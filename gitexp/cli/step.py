from __future__ import annotations

import os
from pathlib import Path

import click

from gitexp.cli.device import share_device_option
from gitexp.cli.experiment import experiment_option, open_experiment
from gitexp.cli.progress import Terminal
from gitexp.cli.table import COLORS
from gitexp.errors import GitexpError
from gitexp.iteration.finalize import StepResult, outcome_json
from gitexp.iteration.proposal import Proposal
from gitexp.iteration.step import step as take_step
from gitexp.loop.proposers import Command
from gitexp.model import Notes, Status, score_text, signed
from gitexp.run.device import Busy
from gitexp.text import one_line, printable, short
from gitexp.views.json_schema import dumps

EXIT_CODES = {Status.KEEP: 0, Status.DISCARD: 10, Status.CRASH: 11}


@click.command(context_settings={"allow_interspersed_args": False})  # options after COMMAND are COMMAND's
@click.option("-m", "--message", required=True, help="What you changed, in one line; further lines are sealed with it.")
@click.option("--hypothesis", help="What you expect, and why.")
@click.option("--next", "ideas", multiple=True, help="What to try next; replaces the list. May be repeated.")
@click.option("--note", help="Anything else worth keeping.")
@click.option("--simplify", is_flag=True, help="The purpose is shorter code: keep it if the score is not worse.")
@click.option("--again", is_flag=True, help="Try an edit that was tried before.")
@share_device_option()
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
@click.option("--exit-code", is_flag=True, help="Exit with 0 for KEEP, 10 for DISCARD, 11 for CRASH.")
@experiment_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def step(
    ctx: click.Context,
    name: str | None,
    message: str,
    hypothesis: str | None,
    ideas: tuple[str, ...],
    note: str | None,
    simplify: bool,
    again: bool,
    busy: Busy,
    json_: bool,
    exit_code: bool,
    command: tuple[str, ...],
) -> None:
    """Try one change: run it, judge it, seal the result.

    Takes your edit of the editable files, or runs COMMAND to make it. Then the post-run hook trains it for the
    experiment's budget. A KEEP stays; a DISCARD or a CRASH is committed and reverted at once.

    \b
    Examples:
      gitexp step -m 'depth 8 -> 4'
      gitexp step -m 'matrix LR 0.02 -> 0.04' -- sed -i 's/MATRIX_LR = 0.02/MATRIX_LR = 0.04/' train.py
    """
    repo, name = open_experiment(name)
    notes = Notes(hypothesis=hypothesis, next=ideas or None, note=note)
    proposal = Proposal(message, notes, again, simplify)
    if not one_line(message):
        raise GitexpError("A step needs a description of the change.", "gitexp step -m 'depth 8 -> 4'")
    terminal = Terminal(quiet=json_)
    proposed = Command(repo, command, Path.cwd(), proposal, terminal) if command else proposal
    outcome = take_step(repo, name, proposed, terminal, busy)
    click.echo(dumps(outcome_json(outcome)) if json_ else outcome_text(outcome))
    if outcome.opened:
        click.echo(
            printable(f"{outcome.opened}\nNo further step is taken until: gitexp breaker reset --why '...'"), err=True
        )
    if exit_code:
        ctx.exit(EXIT_CODES[outcome.iteration.status])


def _from_here(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except FileNotFoundError:  # the current folder was part of the edit, and was reverted with it
        return str(path)


def head(outcome: StepResult) -> str:
    """A step's result in one line: ``exp001 KEEP 2.01 (-0.03 against exp000): LR 0.1 -> 0.2``."""
    iteration = outcome.iteration
    verdict = click.style(iteration.status.value, fg=COLORS[iteration.status], bold=True)
    line = " ".join(filter(None, (iteration.id, verdict, score_text(iteration.score))))
    if delta := signed(iteration.delta):
        line += f" ({delta} against {outcome.incumbent.id})"
    return f"{line}: {iteration.description}"


def outcome_text(outcome: StepResult) -> str:
    """A step's result in full: why, what was changed, where the log is, what probably caused a crash."""
    iteration = outcome.iteration
    lines = [
        head(outcome),
        f"  {printable(iteration.reason)}",
        f"  changed: {printable(', '.join(iteration.candidate.changes)) or 'comments and formatting only'}",
        f"  log: {_from_here(outcome.log)}",
    ]
    if diagnosis := outcome.diagnosis:
        lines.append(f"  {diagnosis.name}: {diagnosis.cause} {diagnosis.fix}")
    if iteration.status is not Status.KEEP:
        lines.append(f"  reverted; the code is in {short(iteration.commit)}")
    lines += [f"  an earlier run was spoiled: {trouble}" for trouble in map(printable, iteration.measurement.spoiled)]
    lines += [f"  {path} was changed during the run, and is left as it is" for path in outcome.left]
    return "\n".join(lines)
