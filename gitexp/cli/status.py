from __future__ import annotations

from pathlib import Path

import click

from gitexp.cli.experiment import experiment_option, open_ledger
from gitexp.cli.interrupted import local_experiments
from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.git.status import tracked_changes
from gitexp.iteration.status import Pending, late_saves, pending
from gitexp.ledger.copies import copied_iterations
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, NOTEBOOK, RESULTS, score_text
from gitexp.text import one_line, visible, visible_list
from gitexp.verdict.breaker import tripped
from gitexp.views.json_schema import PendingJson, dumps, status_json
from gitexp.views.notebook import current, owner


@click.command()
@experiment_option
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def status(name: str | None, json_: bool) -> None:
    """Show where the experiment stands: goal, incumbent, counts, what is pending, what to try next.

    \b
    Example:
      gitexp status
    """
    try:
        repo, ledger = open_ledger(name)
    except GitexpError:
        _say_pending()
        raise
    place = ExperimentFiles.of(repo, ledger.name)
    step = pending(repo, place)
    for sentence in late_saves(repo, place):
        click.echo(sentence, err=True)
    if json_:
        click.echo(dumps(status_json(ledger, _pending_json(step), _edited(repo, ledger))))
    else:
        click.echo(
            _status_text(ledger, step, _edited(repo, ledger), _stale(repo, ledger), copied_iterations(repo, ledger))
        )


def _say_pending() -> None:
    """Show a pending step where no experiment is checked out: that of a baseline whose gitexp died."""
    repo = Repository.discover(Path.cwd())
    for place in local_experiments(repo, None):
        if step := pending(repo, place):
            click.echo(f"{place.branch}: {step}", err=True)


def _edited(repo: Repository, ledger: Ledger) -> list[str]:
    """The changed files, which the next step would take or refuse."""
    here = repo.root is not None and refs.current_branch(repo) == BRANCH_PREFIX + ledger.name
    return [change.path for change in tracked_changes(repo)] if here else []


def _stale(repo: Repository, ledger: Ledger) -> str:
    """A warning if the views are still those of the experiment that was checked out before; else empty."""
    other = owner(current(repo, ledger.contract.home)) if repo.root else None
    return f"{RESULTS} and {NOTEBOOK} are of {other}: gitexp render" if other and other != ledger.name else ""


def _pending_json(step: Pending | None) -> PendingJson | None:
    return {"id": step.id, "state": step.state, "holder": step.holder or None} if step else None


def _status_text(ledger: Ledger, step: Pending | None, edited: list[str], stale: str, copies: list[str]) -> str:
    contract, best = ledger.contract, ledger.incumbent
    counts = ledger.tally()
    terms = f"{contract.direction.value} {visible(contract.metric)}, {contract.budget:g} s a run"
    facts = [
        ("experiment", f"{visible(BRANCH_PREFIX + ledger.name)}: {terms}"),
        ("goal", one_line(ledger.notes.goal or "")),
        ("incumbent", f"{best.id} {score_text(best.score)}: {one_line(best.description)}"),
        ("baseline", score_text(ledger.baseline.score)),
        ("iterations", f"{len(ledger.iterations)} ({counts})"),
        ("editable", visible_list(contract.edit)),
        ("frozen", visible_list(contract.frozen)),
        ("linked", visible_list(contract.links)),
        ("pending", str(step or "")),
        ("breaker", "open: gitexp breaker" if tripped(ledger) else ""),
        ("edited", visible_list(edited)),
        ("views", stale),
    ]
    facts += [("next", one_line(idea)) for idea in ledger.notes.next or ()]
    facts += [("warning", f"{commit}: not committed by gitexp") for commit in ledger.foreign_commits]
    facts += [
        ("warning", f"{copy}: sealed on another commit, and moved here: gitexp step names the way out")
        for copy in copies
    ]
    facts += [("warning", f"{i}: a paragraph after its trailers hides them from git") for i in ledger.hidden_trailers]
    return "\n".join(f"{name:<13} {one_line(text)}" for name, text in facts if text)
