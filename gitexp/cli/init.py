from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import click

from gitexp.cli.device import share_device_option
from gitexp.cli.progress import Terminal
from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.iteration.baseline import begin
from gitexp.iteration.plan import Plan
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Direction, Notes, score_text
from gitexp.run.device import Busy
from gitexp.setup import agent, ci
from gitexp.setup.templates import MLX, TEMPLATES
from gitexp.text import printable, short, visible, visible_list


def positive(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """A callback of an option that takes a number above 0."""
    if value is not None and not 0 < value < math.inf:
        raise click.BadParameter(f"{value} is not a number above 0.")
    return value


def _named_links(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """By name, where each link points; empty where its name says so."""
    named = {name: path for name, _, path in (value.partition("=") for value in values)}
    return {name: os.path.abspath(path) if path else "" for name, path in named.items()}


@click.command()
@click.argument("train", default="train.py")
@click.option("--name", help="The branch will be exp/NAME (default: the script's name).")
@click.option("--goal", help="What the experiment should achieve.")
@click.option("--metric", default="val_bpb", show_default=True, help="The name of the score that the run prints.")
@click.option(
    "--minimize/--maximize",
    "minimize",
    default=True,
    help="Whether lower or higher scores are better (default: lower).",
)
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
    help="Seconds after which a run is ended (default: twice the budget and a minute).",
)
@click.option(
    "--edit", multiple=True, metavar="PATH", help="A file or folder that may change (default: TRAIN). Repeatable."
)
@click.option("--freeze", multiple=True, metavar="PATH", help="A file or folder that must not change. Repeatable.")
@click.option(
    "--link",
    "links",
    multiple=True,
    metavar="NAME[=PATH]",
    callback=_named_links,
    help="What git ignores and a run needs (data, an environment): linked into the clean tree. Repeatable.",
)
@click.option("--skip-link", multiple=True, metavar="NAME", help="What is not to be linked. Repeatable.")
@click.option("--in-place", is_flag=True, help="Run candidates in this work tree, where a project needs it.")
@click.option("--hypothesis", help="What you expect, and why.")
@click.option("--constraint", "constraints", multiple=True, help="What every change must respect. Repeatable.")
@click.option("--next", "ideas", multiple=True, help="An idea to try. Repeatable.")
@click.option(
    "--guard",
    "guards",
    multiple=True,
    metavar="LIMIT",
    help="A limit that every KEEP must respect, such as memory_mb<=8000. Repeatable.",
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
    help="How often to repeat a run that was spoiled from outside (sleep, a stop, a loaded machine).",
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
    help="First write and commit files for agents: a skill, a section of AGENTS.md. Where an experiment is checked "
    "out, leave them untracked, and run nothing.",
)
@click.option(
    "--ci",
    "with_ci",
    is_flag=True,
    help=f"Write {ci.FILE}, which checks pull requests. With no other option, in a repository that has an experiment, "
    "do nothing else.",
)
@share_device_option()
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
    links: dict[str, str],
    skip_link: tuple[str, ...],
    in_place: bool,
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
    busy: Busy,
) -> None:
    """Start an experiment: run the baseline and seal it on exp/NAME.

    TRAIN is the script to improve (train.py by default). It runs as it is, for the budget in seconds. Its score, and
    the contract that binds every later step, become the first commit of the branch exp/NAME.

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
        links=links,
        unlinked=skip_link,
        may_link=_may_link,
        in_place=in_place,
    )
    ledger = begin(repo, plan, Terminal(), busy)
    click.echo(_announcement(ledger, came_from))
    if with_ci:
        _write_ci(repo)


def _announcement(ledger: Ledger, came_from: str) -> str:
    contract = ledger.contract
    score = f"{contract.metric} {score_text(ledger.baseline.score)} ({contract.direction.word} is better)"
    linked = f"Linked into the clean tree: {visible_list(contract.links)}.\n" if contract.links else ""
    return (
        f"{linked}{ledger.baseline.id} {score} on {visible(BRANCH_PREFIX + ledger.name)}, from {visible(came_from)}\n"
        f"Next: edit {visible_list(contract.edit)}, then: gitexp step -m 'what you changed'"
    )


def _template_files(template: str, folder: str) -> dict[str, bytes]:
    """The files of a template by their paths below ``folder``: its script, then the frozen files."""
    return {os.path.join(folder, path): data for path, data in TEMPLATES[template].contents().items()}


def _asks_for_ci_only(ctx: click.Context) -> bool:
    default = click.core.ParameterSource.DEFAULT
    return [name for name in ctx.params if ctx.get_parameter_source(name) is not default] == ["with_ci"]


def _write_ci(repo: Repository) -> None:
    click.echo(f"Written: {ci.write(repo)}. Commit it on the branch that pull requests are merged into.")


def _equip(repo: Repository) -> bool:
    """Write the agent's files, and say so. True if an experiment is checked out, so that none is to begin."""
    branch = refs.current_branch(repo) or ""
    ledger = history.load(repo, history.current_name(repo)) if branch.startswith(BRANCH_PREFIX) else None
    files = agent.install(repo, ledger)
    written = printable("\n  ".join(("Written for agents:", *files.written)))
    click.echo(written if files.written else "The agent's files are up to date.")
    if files.commit:
        names = "" if set(files.committed) == set(files.written) else " " + ", ".join(map(printable, files.committed))
        click.echo(
            f"Committed{names} on {branch or 'a detached HEAD'} as {short(files.commit)}: experiments start from it."
        )
    if ledger is None:
        return False
    if files.written:
        click.echo("These files stay untracked: no iteration holds them, and they are in no step's way.")
    if files.untouched:
        names = ", ".join(map(printable, files.untouched))
        click.echo(f"Not changed: {names}. git tracks it here, and a step refuses a tracked file that differs.")
    click.echo(f"{branch} is checked out: nothing was run. Next, in Claude Code: /autoexperiment")
    return True


def _may_link(found: tuple[str, ...]) -> bool:
    """Ask on a terminal whether what git ignores is linked into the clean tree; elsewhere it is."""
    question = f"A run seems to need {visible_list(found)}, which git ignores. Link it into the clean tree?"
    return not sys.stdin.isatty() or click.confirm(question, default=True, err=True)


def _wants_template(train: str) -> bool:
    if not sys.stdin.isatty():
        raise GitexpError(
            f"There is no {visible(train)} here.", "gitexp init --template mlx   # or: gitexp init YOUR.py"
        )
    return click.confirm(f"There is no {visible(train)} here. Start with the MLX template?", default=True)
