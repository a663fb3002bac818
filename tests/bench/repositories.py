"""The repositories that are measured, each made when it is first asked for."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from gitexp.model import CLEAN_TREE

from .histories import git, make
from .places import folder
from .processes import gitexp


@cache
def repository(iterations: int, files: int = 10, purpose: str = "reading", runs_in: str = CLEAN_TREE) -> Path:
    """An experiment of so many iterations among so many files, with its views and caches, as any command leaves them.

    What writes to it names a purpose of its own, so that no row lengthens the history of another.
    """
    made = make(folder() / f"{purpose}-{iterations}-{files}", iterations, files, runs_in)
    with (made / ".git/info/exclude").open("a") as out:
        out.write("run.log\nrun.tsv\n")
    gitexp("render", folder=made)
    return made


@cache
def _bare(iterations: int) -> Path:
    made = folder() / f"bare-{iterations}.git"
    git(folder(), "clone", "--quiet", "--bare", str(repository(iterations)), str(made))
    return made


def unread(iterations: int) -> Path:
    """That history in a bare clone, and none of what gitexp may have noted there."""
    shutil.rmtree(_bare(iterations) / "gitexp", ignore_errors=True)
    return _bare(iterations)
