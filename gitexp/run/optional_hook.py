"""A run of one of the optional hooks: what gate and notify have in common."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from typing import IO

from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Contract
from gitexp.run import hooks
from gitexp.run.processes import MARK
from gitexp.run.runner import Execution, run


def run_hook(
    repo: Repository,
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
        cwd=repo.top / contract.directory,
        env=hooks.environment(contract, place.name, iteration) | {MARK: uuid.uuid4().hex},
        timeout=timeout,
        log=place.log(f"{iteration}.{path.name}"),
        on_line=lambda line: None,
        stdin=stdin,
    )
