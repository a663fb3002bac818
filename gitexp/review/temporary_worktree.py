"""A work tree of gitexp's own, in a temporary folder: commits are made there while nobody's checkout is touched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitexp.files import lock, remove_folder
from gitexp.git import linked_worktrees
from gitexp.git.driver import GitCommandError
from gitexp.git.repository import Repository
from gitexp.signals import signals_wait

PREFIX = "gitexp-scratch-"  # of the folder's name: one that a dead gitexp left is known by it


@contextmanager
def scratch(repo: Repository, commit: str) -> Iterator[Repository]:
    """A work tree with ``commit`` checked out, HEAD detached; it is gone however this is left."""
    with lock(repo.shared_lock("scratch"), "The scratch work tree", "pick"):
        for left in _left(repo):
            _remove(repo, left)
        folder = Path(os.path.realpath(tempfile.mkdtemp(prefix=PREFIX)))
        try:
            yield linked_worktrees.add(repo, folder, commit)
        finally:
            with signals_wait():
                _remove(repo, folder)


def _left(repo: Repository) -> list[Path]:
    """Scratch work trees of gitexps that were killed: the lock's holder has none yet."""
    return [path for path, _ in linked_worktrees.work_trees(repo) if path.name.startswith(PREFIX)]


def _remove(repo: Repository, folder: Path) -> None:
    remove_folder(folder)  # first: git removes no work tree that holds a submodule
    with suppress(GitCommandError):  # git had not come to know of it
        repo.run("worktree", "remove", "--force", "--force", str(folder))
