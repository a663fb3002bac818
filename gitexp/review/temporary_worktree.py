"""A work tree in a temporary folder: gitexp commits and measures there while no checkout of a person is touched."""

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

PREFIX = "gitexp-scratch-"  # of the folder's name, by which the next gitexp knows one that a killed gitexp left


@contextmanager
def temporary_worktree(repo: Repository, commit: str) -> Iterator[Repository]:
    """A work tree with ``commit`` checked out and HEAD detached; it is removed however the block is left.

    Raises GitexpError where another gitexp has one in this repository.
    """
    with lock(repo.shared_lock("scratch"), "The scratch work tree", "pick"):
        for stray in _strays(repo):
            _remove(repo, stray)
        folder = Path(os.path.realpath(tempfile.mkdtemp(prefix=PREFIX)))
        try:
            yield linked_worktrees.add(repo, folder, commit)
        finally:
            with signals_wait():
                _remove(repo, folder)


def _strays(repo: Repository) -> list[Path]:
    """The temporary work trees of killed gitexps: who holds the lock has none yet."""
    return [path for path, _ in linked_worktrees.work_trees(repo) if path.name.startswith(PREFIX)]


def _remove(repo: Repository, folder: Path) -> None:
    remove_folder(folder)  # first, because git refuses to remove a work tree that holds a submodule
    with suppress(GitCommandError):  # the work tree was not registered yet
        repo.run("worktree", "remove", "--force", "--force", str(folder))
