"""The post-step hook: is told each verdict, as one JSON object. Whatever it does, the iteration stands."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gitexp import hook
from gitexp.conclude import Outcome
from gitexp.disk import write_file
from gitexp.errors import GitexpError
from gitexp.export import dumps, iteration_json
from gitexp.git import Repository
from gitexp.model import Contract
from gitexp.observer import Observer
from gitexp.optional_hook import run_hook
from gitexp.pending import Place
from gitexp.runner import NotStarted

PATIENCE = 60.0  # seconds after which the hook is ended
VERDICT = "verdict.json"


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    return iteration_json(outcome.iteration, outcome.iteration.delta) | {
        "experiment": outcome.experiment,
        "incumbent": {"id": outcome.incumbent.id, "score": outcome.incumbent.score},
        "log": str(outcome.log),
        "left_alone": list(outcome.left),
        "diagnosis": asdict(outcome.diagnosis) if outcome.diagnosis else None,
        "breaker_open": bool(outcome.opened),
    }


def notify(repo: Repository, place: Place, contract: Contract, outcome: Outcome, observer: Observer) -> None:
    """Run the post-step hook, if there is one, with the verdict on its standard input."""
    try:
        path = hook.optional(repo, hook.POST_STEP)
        if path is None:
            return
        write_file(place.directory / VERDICT, dumps(outcome_json(outcome)).encode() + b"\n")
        with (place.directory / VERDICT).open("rb") as verdict:
            execution = run_hook(repo, place, contract, path, outcome.iteration.id, PATIENCE, verdict)
        if execution.timed_out or execution.exit_code:
            what = f"hung for {PATIENCE:.0f} s" if execution.timed_out else f"failed (exit {execution.exit_code})"
            observer.say(f"The post-step hook {what}; {outcome.iteration.id} is sealed all the same.")
    except (GitexpError, NotStarted, OSError) as error:
        observer.say(f"The post-step hook cannot be run: {error}; {outcome.iteration.id} is sealed all the same.")
