"""Submodules that are checked out in a work tree."""

from __future__ import annotations

import os
from pathlib import Path

from gitexp.git.driver import GitCommandError, open_git, run
from gitexp.git.repository import Repository
from gitexp.git.worktree import is_repository
from gitexp.paths import link_above


def checked_out(owner: Repository, path: str, commit: str) -> Repository | None:
    """The submodule at ``path`` of the work tree of ``owner``; ``None`` where it, or its ``commit``, is not there."""
    top = owner.top / path
    if link_above(owner.top, path) or top.is_symlink() or not is_repository(top):
        return None
    driver = open_git(top)
    driver.update_environment(GIT_DIR=str(top / ".git"), GIT_WORK_TREE=str(top))  # whatever the caller's name
    try:
        where = os.fsdecode(run(driver, "rev-parse", "--absolute-git-dir", "--git-common-dir")).splitlines()
    except GitCommandError:
        return None
    git_dir = Path(where[0])
    common = Path(os.path.normpath(top / where[1]))
    driver.update_environment(GIT_DIR=str(git_dir))
    repo = Repository(driver, top, git_dir, common)
    return repo if repo.resolve(commit) else None
