from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import click

from gitexp.cli.progress import Terminal
from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.iteration.baseline import Plan, begin
from gitexp.ledger import history
from gitexp.model import BRANCH_PREFIX, Direction, Notes, score_text
from gitexp.setup import agent, ci
from gitexp.setup.templates import MLX, TEMPLATES
from gitexp.text import printable, short


def positive(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise click.BadParameter(f"{value} is no number of seconds above 0.")
    return value


@click.command()
@click.argument("train", default="train.py")
@click.option("--name", help="The branch will be exp/NAME (default: the script's name).")
@click.option("--goal", help="What the experiment is after.")
@click.option("--metric", default="val_bpb", show_default=True, help="The score, as the run prints it.")
@click.option("--minimize/--maximize", "minimize", default=True, help="Which scores are better (default: lower).")
@click.option(
    "--budget",
    type=float,
    metavar="SECONDS",
    callback=positive,
    default=300.0,
    show_default=True,
    help="Seconds of training.",
)
@click.option(
    "--timeout",
    type=float,
    metavar="SECONDS",
    callback=positive,
    help="When a run is ended (default: after twice the budget and a minute).",
)
@click.option(
    "--edit", multiple=True, metavar="PATH", help="May change, a file or a folder (default: TRAIN). Repeatable."
)
@click.option("--freeze", multiple=True, metavar="PATH", help="Must not change, a file or a folder. Repeatable.")
@click.option("--hypothesis", help="What you expect, and why.")
@click.option("--constraint", "constraints", multiple=True, help="What every change must respect. Repeatable.")
@click.option("--next", "ideas", multiple=True, help="What to try. Repeatable.")
@click.option(
    "--guard",
    "guards",
    multiple=True,
    metavar="LIMIT",
    help="What breaks it is no KEEP, such as memory_mb<=8000. May be repeated.",
)
@click.option(
    "--one-variable",
    type=click.Choice(["warn", "strict"]),
    default="warn",
    show_default=True,
    help="Warn of an edit of more than one constant, function or class, or refuse it.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="How often a run is made again that was spoiled from outside (sleep, a stop, a loaded machine).",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Given to each run as RANDOM_SEED.")
@click.option(
    "--rule",
    default="confirm",
    show_default=True,
    help="How verdicts are made: 'single' (one run decides), 'margin 0.01', or 'confirm', which repeats what is "
    "promising until the noise allows a verdict (its parameters: replicates=3 strict=1.2 drop=0.6).",
)
@click.option("--template", type=click.Choice(list(TEMPLATES)), help="Start from a trainer that comes with gitexp.")
@click.option(
    "--agent",
    "for_agent",
    is_flag=True,
    help="First write and commit what an agent reads: a skill, a section of AGENTS.md. Where an experiment is checked "
    "out, write them untracked, and run nothing.",
)
@click.option(
    "--ci",
    "with_ci",
    is_flag=True,
    help=f"Write {ci.FILE}, which checks pull requests. Alone, where there is an experiment: only that.",
)
@click.pass_context
def init(
    ctx: click.Context,
    train: str,
    name: str | None,
    goal: str | None,
    metric: str,
    minimize: bool,
    budget: float,
    timeout: float | None,
    edit: tuple[str, ...],
    freeze: tuple[str, ...],
    hypothesis: str | None,
    constraints: tuple[str, ...],
    ideas: tuple[str, ...],
    guards: tuple[str, ...],
    one_variable: str,
    retries: int,
    seed: int,
    rule: str,
    template: str | None,
    for_agent: bool,
    with_ci: bool,
) -> None:
    """Start an experiment: run the baseline and seal it on exp/NAME.

    TRAIN is the script to improve (train.py by default). It is run as it is, for the budget in seconds; its score and
    the contract that every later step is held to become the first commit of the branch exp/NAME.

    \b
    Examples:
      gitexp init --template mlx --budget 60 --goal 'lowest val_bpb'
      gitexp init scripts/fit.py --metric accuracy --maximize --freeze score.py
      gitexp init --agent
      gitexp init --ci
    """
    repo = Repository.discover(Path.cwd())
    if with_ci:
        ci.check(repo)
    if (for_agent and _equip(repo)) or (_asks_for_ci_only(ctx) and history.names(repo)):
        if with_ci:
            _write_ci(repo)
        return
    came_from = refs.current_branch(repo) or "a detached HEAD"
    if not template and not (Path.cwd() / train).exists() and repo.top and _wants_template(train):
        template = MLX.name
    files = _template_files(template, os.path.dirname(train)) if template else {}
    notes = Notes(goal, hypothesis, constraints or None, ideas or None)
    direction = Direction.MINIMIZE if minimize else Direction.MAXIMIZE
    plan = Plan(
        directory=Path(os.path.realpath(Path.cwd())),
        script=train,
        name=name or "",
        metric=metric,
        direction=direction,
        budget=budget,
        timeout=timeout,
        edit=edit,
        freeze=(*freeze, *list(files)[1:]),
        rule=rule,
        guards=guards,
        one_variable=one_variable,
        retries=retries,
        seed=seed,
        notes=notes,
        files=files,
    )
    ledger = begin(repo, plan, Terminal())
    better = "lower" if minimize else "higher"
    score = f"{ledger.contract.metric} {score_text(ledger.baseline.score)} ({better} is better)"
    click.echo(f"{ledger.baseline.id} {score} on exp/{ledger.name}, from {came_from}")
    click.echo(f"Next: edit {', '.join(ledger.contract.edit)}, then: gitexp step -m 'what you changed'")
    if with_ci:
        _write_ci(repo)


def _template_files(template: str, folder: str) -> dict[str, bytes]:
    """The files of a template by their paths below ``folder``: its script, and what is frozen."""
    return {os.path.join(folder, path): data for path, data in TEMPLATES[template].contents().items()}


def _asks_for_ci_only(ctx: click.Context) -> bool:
    default = click.core.ParameterSource.DEFAULT
    return [name for name in ctx.params if ctx.get_parameter_source(name) is not default] == ["with_ci"]


def _write_ci(repo: Repository) -> None:
    click.echo(f"{ci.write(repo)}: commit it on the branch that pull requests go to")


def _equip(repo: Repository) -> bool:
    """Write the agent's files, and say so. Whether an experiment is checked out: then there is nothing to begin."""
    branch = refs.current_branch(repo) or ""
    ledger = history.load(repo, history.current_name(repo)) if branch.startswith(BRANCH_PREFIX) else None
    done = agent.install(repo, ledger)
    written = printable("\n  ".join(("Written for agents:", *done.written)))
    click.echo(written if done.written else "The agent's files are there.")
    if done.commit:
        what = "" if set(done.committed) == set(done.written) else " " + ", ".join(map(printable, done.committed))
        click.echo(
            f"Committed{what} on {branch or 'a detached HEAD'} as {short(done.commit)}: experiments start from it."
        )
    if ledger is None:
        return False
    if done.written:
        click.echo("This is left untracked: no iteration holds it, and no step minds it.")
    if done.left:
        left = ", ".join(map(printable, done.left))
        click.echo(f"Left as it is: {left}. git tracks it here, and a step refuses when a tracked file differs.")
    click.echo(f"{branch} is checked out: nothing was run. Next, in Claude Code: /autoexperiment")
    return True


def _wants_template(train: str) -> bool:
    if not sys.stdin.isatty():
        raise GitexpError(f"There is no {train} here.", "gitexp init --template mlx   # or: gitexp init YOUR.py")
    return click.confirm(f"There is no {train} here. Start with the MLX template?", default=True)
