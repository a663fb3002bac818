"""The pre-run hook: a gate before any training. What it refuses is not run, and costs no iteration."""

from __future__ import annotations

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Contract
from gitexp.run import hooks
from gitexp.run.optional_hook import run_hook
from gitexp.run.runner import Execution, NotStarted
from gitexp.text import one_line

SHOWN = 20  # lines of what the hook printed


def check_gate(repo: Repository, place: ExperimentFiles, contract: Contract, identity: str) -> bool:
    """Whether there is a gate, and it was passed. Raises with what the hook printed when it refuses the edit."""
    path = hooks.optional(repo, hooks.PRE_RUN)
    if path is None:
        return False
    try:
        execution = run_hook(repo, place, contract, path, identity, contract.timeout)
    except NotStarted as error:
        raise GitexpError(f"The pre-run hook {path} cannot be run: {error}.", f"head -1 {path}") from None
    if execution.timed_out or execution.exit_code:
        log = place.log(f"{identity}.{path.name}")
        raise GitexpError(_refusal(execution), f"less {log}   # and mend the edit; it stays in the work tree")
    return True


def _refusal(execution: Execution) -> str:
    what = "hung" if execution.timed_out else f"refused this edit (exit {execution.exit_code})"
    said = [one_line(line, 200) for line in execution.tail if line.strip()][-SHOWN:]
    return "\n    ".join(
        [f"The pre-run hook {what}; nothing was run." if not said else f"The pre-run hook {what}:", *said]
    )
