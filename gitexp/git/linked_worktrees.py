"""The work trees of one repository (``git worktree``): which there are, and which branch each of them uses."""

from __future__ import annotations

import os
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import find_file, read_file
from gitexp.git.repository import Repository
from gitexp.text import from_bytes


def work_trees(repo: Repository) -> list[tuple[Path, str]]:
    """The folder of each work tree, and the full name of the branch that is checked out there; empty for none."""
    trees: list[tuple[Path, str]] = []
    for record in os.fsdecode(repo.run("worktree", "list", "--porcelain")).split("\n\n"):
        facts = dict(line.partition(" ")[::2] for line in record.splitlines())
        if "worktree" in facts and "bare" not in facts:
            trees.append((Path(facts["worktree"]), facts.get("branch", "")))
    return trees


def user_of(repo: Repository, branch: str) -> Path | None:
    """The work tree in which a branch is checked out, or is being rebased or bisected: moving it there is not safe."""
    for folder, checked_out in work_trees(repo):
        if checked_out == f"refs/heads/{branch}" or branch in _returns_to(folder):
            return folder
    return None


def is_work_tree(repo: Repository, folder: Path) -> bool:
    """Whether the folder is in a work tree of this repository, which may have been moved as a whole."""
    try:
        return folder.is_dir() and Repository.discover(folder).common_dir.samefile(repo.common_dir)
    except (GitexpError, OSError):
        return False


def _returns_to(folder: Path) -> set[str]:
    """The branches to which a rebase or a bisection goes back: git detaches HEAD for it, and notes them."""
    notes = (_git_dir(folder) / name for name in ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START"))
    return {from_bytes(find_file(note) or b"").strip().removeprefix("refs/heads/") for note in notes if note.is_file()}


def _git_dir(folder: Path) -> Path:
    """The git directory of the work tree ``folder``: in a linked one, ``.git`` is a file that names it."""
    link = folder / ".git"
    return folder / os.fsdecode(read_file(link)).removeprefix("gitdir: ").rstrip("\n") if link.is_file() else link
