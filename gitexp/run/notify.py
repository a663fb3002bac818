"""The post-step hook: is told each verdict, as one JSON object. Whatever it does, the iteration stands."""

from __future__ import annotations

from gitexp.errors import GitexpError
from gitexp.files import write_file
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Contract
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.optional_hook import run_hook
from gitexp.run.runner import NotStarted

PATIENCE = 60.0  # seconds after which the hook is ended
VERDICT = "verdict.json"


def notify(
    repo: Repository, place: ExperimentFiles, contract: Contract, iteration: str, payload: str, observer: Observer
) -> None:
    """Run the post-step hook, if there is one, with ``payload``, the iteration's verdict, on its standard input."""
    try:
        path = hooks.optional(repo, hooks.POST_STEP)
        if path is None:
            return
        write_file(place.directory / VERDICT, f"{payload}\n".encode())
        with (place.directory / VERDICT).open("rb") as verdict:
            execution = run_hook(repo, place, contract, path, iteration, PATIENCE, verdict)
        if execution.timed_out or execution.exit_code:
            what = f"hung for {PATIENCE:.0f} s" if execution.timed_out else f"failed (exit {execution.exit_code})"
            observer.say(f"The post-step hook {what}; {iteration} is sealed all the same.")
    except (GitexpError, NotStarted, OSError) as error:
        observer.say(f"The post-step hook cannot be run: {error}; {iteration} is sealed all the same.")
