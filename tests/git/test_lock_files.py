"""Whether a git is at work, which may hold a lock."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gitexp.git.lock_files import is_in_use
from gitexp.git.repository import Repository


def test_the_processes_that_gitexp_keeps_open_hold_no_lock(repo: Repository) -> None:
    assert repo.object("HEAD")
    assert not is_in_use(repo, 0.0)


def test_any_other_git_may_hold_one(folder: Path, repo: Repository) -> None:
    with subprocess.Popen(["git", "-c", "a.b=c", "update-ref", "--stdin"], stdin=subprocess.PIPE) as other:
        assert is_in_use(repo, 0.0)
        other.terminate()
