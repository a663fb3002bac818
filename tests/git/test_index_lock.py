"""git's lock of the index: who waits for whom."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from gitexp.errors import GitexpError
from gitexp.git import index_lock
from gitexp.git.index_lock import index_locked, stage_locked
from gitexp.git.objects import file_entry
from gitexp.git.repository import Repository
from tests.helpers.repositories import git


def test_another_git_is_kept_from_the_index(repo: Repository) -> None:
    (repo.top / "train.py").write_text("x = 1\n")
    with index_locked(repo):
        with pytest.raises(AssertionError, match=r"index\.lock"):
            git("add", "train.py")
        stage_locked(repo, {"train.py": file_entry(repo, "train.py")})
    assert git("status", "--porcelain") == "M  train.py\n"
    assert sorted(file.name for file in Path(".git").glob("*index*")) == ["index"]


def test_it_waits_for_another_git(repo: Repository) -> None:
    lock = repo.git_dir / "index.lock"
    lock.touch()
    threading.Timer(0.05, lock.unlink).start()
    began = time.monotonic()
    with index_locked(repo):
        assert time.monotonic() - began > 0.04
    assert not lock.exists()


def test_it_gives_up_and_leaves_the_lock(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_lock, "PATIENCE", 0.0)
    lock = repo.git_dir / "index.lock"
    lock.touch()
    with pytest.raises(GitexpError, match="another git is at work here, or died"), index_locked(repo):
        pass
    assert lock.exists()
