"""A work tree of gitexp's own, in a temporary folder: commits are made there while nobody's checkout is touched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitexp.files import lock, remove_folder
from gitexp.git.driver import GitCommandError, open_git
from gitexp.git.repository import Repository
from gitexp.signals import signals_wait
from gitexp.text import from_bytes

PREFIX = "gitexp-scratch-"  # of the folder's name: one that a dead gitexp left is known by it
NO_HOOKS = ("-c", "core.hooksPath=/dev/null")  # the user's hooks are for the user's commits


@contextmanager
def scratch(repo: Repository, commit: str) -> Iterator[Repository]:
    """A work tree with ``commit`` checked out, HEAD detached; it is gone however this is left."""
    with lock(repo.common_dir / "gitexp-scratch.lock", "The scratch work tree", "pick"):
        for left in _left(repo):
            _remove(repo, left)
        folder = Path(os.path.realpath(tempfile.mkdtemp(prefix=PREFIX)))
        try:
            repo.run(*NO_HOOKS, "worktree", "add", "--quiet", "--detach", str(folder), commit)
            yield _open(repo, folder)
        finally:
            with signals_wait():
                _remove(repo, folder)


def _open(repo: Repository, folder: Path) -> Repository:
    git_dir = Path(os.fsdecode((folder / ".git").read_bytes()).removeprefix("gitdir: ").rstrip("\n"))
    driver = open_git(folder)
    # By name, as the caller's own GIT_DIR may name another work tree.
    driver.update_environment(GIT_DIR=str(git_dir), GIT_WORK_TREE=str(folder))
    return Repository(driver, folder, git_dir, repo.common_dir)


def _left(repo: Repository) -> list[Path]:
    """Scratch work trees of gitexps that were killed: the lock's holder has none yet."""
    return [path for path, _ in work_trees(repo) if path.name.startswith(PREFIX)]


def _remove(repo: Repository, folder: Path) -> None:
    remove_folder(folder)  # first: git removes no work tree that holds a submodule
    with suppress(GitCommandError):  # git had not come to know of it
        repo.run("worktree", "remove", "--force", "--force", str(folder))


def work_trees(repo: Repository) -> list[tuple[Path, str]]:
    """The folder of each work tree, and the full name of the branch that is checked out in it, if one is."""
    found: list[tuple[Path, str]] = []
    for record in os.fsdecode(repo.run("worktree", "list", "--porcelain")).split("\n\n"):
        facts = dict(line.partition(" ")[::2] for line in record.splitlines())
        if "worktree" in facts and "bare" not in facts:
            found.append((Path(facts["worktree"]), facts.get("branch", "")))
    return found


def user_of(repo: Repository, branch: str) -> Path | None:
    """The work tree in which a branch is checked out, or is being rebased or bisected: moving it there is not safe."""
    ref = f"refs/heads/{branch}"
    for folder, checked_out in work_trees(repo):
        if checked_out == ref or _is_under_way(folder, branch):
            return folder
    return None


def _is_under_way(folder: Path, branch: str) -> bool:
    """git detaches HEAD for a rebase or a bisection, and notes to which branch it goes back."""
    link = folder / ".git"
    git_dir = folder / os.fsdecode(link.read_bytes()).partition(" ")[2].rstrip("\n") if link.is_file() else link
    notes = (git_dir / name for name in ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"))
    names = {from_bytes(note.read_bytes()).strip().removeprefix("refs/heads/") for note in notes if note.is_file()}
    return branch in names
