"""The hooks, which live where git keeps its own: post-run trains and measures; pre-run and post-step are optional."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from shlex import quote

from gitexp.errors import GitexpError
from gitexp.git.repository import LOCAL_VARIABLES, Repository
from gitexp.model import Contract
from gitexp.resources import data_dir

NAME = "post-run"
PRE_RUN = "pre-run"  # a gate: what it refuses is not run
POST_STEP = "post-step"  # is told each verdict
NAMES = (NAME, PRE_RUN, POST_STEP)


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
    shutil.copyfile(data_dir("hooks") / name, path)
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
        raise GitexpError(f"The {name} hook {path} has no run bit.", f"chmod +x {quote(str(path))}")
    return path


def blob(repo: Repository, path: Path) -> str:
    """The blob id of the hook's bytes: what the contract seals."""
    data = path.read_bytes()
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
