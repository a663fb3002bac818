"""The post-run hook: the command that trains and measures the candidate. It lives where git keeps its hooks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from shlex import quote

from gitexp.errors import GitexpError
from gitexp.git import Repository
from gitexp.resources import data_dir

NAME = "post-run"


def install(repo: Repository) -> Path | None:
    """Put the packaged hook in place, run bit set. ``None`` when there is a hook already: it is left as it is."""
    path = repo.hook_path(NAME)
    if os.path.lexists(path):
        return None
    if path.parent.exists() and not path.parent.is_dir():
        raise GitexpError(
            f"git's hooks are turned off here (core.hooksPath is {path.parent}).", "git config core.hooksPath"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(data_dir("hooks") / NAME, path)
    path.chmod(0o755)
    return path


def find(repo: Repository) -> Path:
    """The hook's path. Raises when there is none, or one that cannot be run."""
    path = repo.hook_path(NAME)
    if not path.is_file():
        # A clone carries no hooks: nothing from somebody else's repository runs until its user says so.
        raise GitexpError(f"There is no post-run hook at {path}.", "gitexp hook --install")
    if not os.access(path, os.X_OK):
        raise GitexpError(f"The post-run hook {path} has no run bit.", f"chmod +x {quote(str(path))}")
    return path


def blob(repo: Repository, path: Path) -> str:
    """The blob id of the hook's bytes: what the contract seals."""
    return repo.line("hash-object", "--stdin", stdin=path.read_bytes())
