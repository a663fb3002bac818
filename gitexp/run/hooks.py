"""The hooks: their names, how they are installed and found where git keeps its own, and who runs each.

- ``post-run`` is the run itself: it trains and measures. :mod:`gitexp.run.measure` runs it.
- ``pre-run`` is optional: a gate before any training. An edit that it refuses is not run, and costs no iteration.
  :func:`check_gate` runs it.
- ``post-step`` is optional: it is told each verdict, as one JSON object. Whatever it does, the iteration stands.
  :func:`notify` runs it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import IO

from gitexp.errors import GitexpError
from gitexp.files import open_file, read_file, write_file
from gitexp.git.repository import LOCAL_VARIABLES, Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Contract
from gitexp.observer import Observer
from gitexp.resources import read_data
from gitexp.run.processes import MARK
from gitexp.run.runner import Execution, NotStarted, run
from gitexp.shell import command
from gitexp.text import one_line

NAME = "post-run"
PRE_RUN = "pre-run"  # a gate: what it refuses is not run
POST_STEP = "post-step"  # is told each verdict
NAMES = (NAME, PRE_RUN, POST_STEP)
GATE_LINES = 20  # of what the pre-run hook printed, in its refusal
NOTIFY_TIMEOUT = 60.0  # seconds after which the post-step hook is ended
VERDICT = "verdict.json"


def install(repo: Repository, name: str = NAME) -> Path | None:
    """Put a packaged hook in place, run bit set. ``None`` when there is one already: it is left as it is."""
    path = repo.hook_path(name)
    if os.path.lexists(path):
        return None
    if path.parent.exists() and not path.parent.is_dir():
        raise GitexpError(
            f"git's hooks are turned off here (core.hooksPath is {path.parent}).", "git config core.hooksPath"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, read_data("hooks", name))
    path.chmod(0o755)
    return path


def find(repo: Repository) -> Path:
    """The post-run hook's path. Raises when there is none, or one that cannot be run."""
    path = optional(repo, NAME)
    if path is None:
        # A clone carries no hooks: nothing from somebody else's repository runs until its user says so.
        raise GitexpError(f"There is no post-run hook at {repo.hook_path(NAME)}.", "gitexp hook --install")
    return path


def optional(repo: Repository, name: str) -> Path | None:
    """The path of a hook, if there is one. Raises for one that cannot be run."""
    path = repo.hook_path(name)
    if not path.is_file():
        return None
    if not os.access(path, os.X_OK):
        raise GitexpError(f"The {name} hook {path} has no run bit.", command("chmod", "+x", path))
    return path


def blob(repo: Repository, path: Path) -> str:
    """The blob id of the hook's bytes: what the contract seals."""
    data = read_file(path, follow=True)  # a hook may be a link to where it is kept
    hashed = hashlib.new("sha256" if repo.config.get("extensions.objectFormat") == "sha256" else "sha1")
    hashed.update(b"blob %d\0" % len(data) + data)
    return hashed.hexdigest()


def environment(contract: Contract, name: str, iteration: str) -> dict[str, str]:
    """What every hook and every proposer finds in its environment, the caller's own less git's variables included."""
    inherited = {key: value for key, value in os.environ.items() if key not in LOCAL_VARIABLES}
    return inherited | {
        "TIME_BUDGET": f"{contract.budget:.10g}",
        "METRIC": contract.metric,
        "EXPERIMENT_ID": iteration,
        "EXPERIMENT_NAME": name,
        "GITEXP_SCRIPT": os.path.relpath(contract.script, contract.directory),
        "GITEXP_OWN_PYTHON": sys.executable,
    }


def check_gate(
    repo: Repository, place: ExperimentFiles, contract: Contract, identity: str, top: Path | None = None
) -> bool:
    """Whether there is a gate, and it was passed. The edit lies in the work tree at ``top``, or in that of ``repo``.

    Raises with what the hook printed when it refuses the edit."""
    path = optional(repo, PRE_RUN)
    if path is None:
        return False
    try:
        execution = _run_optional(top or repo.top, place, contract, path, identity, contract.timeout)
    except NotStarted as error:
        raise GitexpError(f"The pre-run hook {path} cannot be run: {error}.", command("head", "-1", path)) from None
    if execution.timed_out or execution.exit_code:
        log = place.log(f"{identity}.{path.name}")
        raise GitexpError(
            _refusal(execution), f"{command('less', log)}   # and mend the edit; it stays in the work tree"
        )
    return True


def _refusal(execution: Execution) -> str:
    what = "hung" if execution.timed_out else f"refused this edit (exit {execution.exit_code})"
    said = [one_line(line, 200) for line in execution.tail if line.strip()][-GATE_LINES:]
    return "\n    ".join(
        [f"The pre-run hook {what}; nothing was run." if not said else f"The pre-run hook {what}:", *said]
    )


def notify(
    repo: Repository, place: ExperimentFiles, contract: Contract, iteration: str, payload: str, observer: Observer
) -> None:
    """Run the post-step hook, if there is one, with ``payload``, the iteration's verdict, on its standard input."""
    try:
        path = optional(repo, POST_STEP)
        if path is None:
            return
        write_file(place.directory / VERDICT, f"{payload}\n".encode())
        with open_file(place.directory / VERDICT) as verdict:
            execution = _run_optional(repo.top, place, contract, path, iteration, NOTIFY_TIMEOUT, verdict)
        if execution.timed_out or execution.exit_code:
            what = f"hung for {NOTIFY_TIMEOUT:.0f} s" if execution.timed_out else f"failed (exit {execution.exit_code})"
            observer.say(f"The post-step hook {what}; {iteration} is sealed all the same.")
    except (GitexpError, NotStarted, OSError) as error:
        observer.say(f"The post-step hook cannot be run: {error}; {iteration} is sealed all the same.")


def _run_optional(
    top: Path,
    place: ExperimentFiles,
    contract: Contract,
    path: Path,
    iteration: str,
    timeout: float,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> Execution:
    """Run the hook at ``path`` where the post-run hook runs; its log is named after the iteration and the hook.

    Raises :class:`gitexp.run.runner.NotStarted` when it cannot be started.
    """
    return run(
        [str(path)],
        cwd=top / contract.directory,
        env=environment(contract, place.name, iteration) | {MARK: uuid.uuid4().hex},
        timeout=timeout,
        log=place.log(f"{iteration}.{path.name}"),
        on_line=lambda line: None,
        stdin=stdin,
    )
