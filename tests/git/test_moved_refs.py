"""The locks of refs that a killed ``pick``, ``pr`` or ``logs`` left."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.commits import commit_tree
from gitexp.git.driver import GitCommandError
from gitexp.git.moved_refs import clear_locks, move, noted
from gitexp.git.objects import make_tree
from gitexp.git.repository import Repository
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git

RESULTS = Path(".git/refs/heads/results.lock")
DEAD = subprocess.Popen(["true"])
DEAD.wait()


def leave(folder: Path, lock: Path = RESULTS) -> Path:
    """The note of a process that died, and then a lock."""
    note = folder / f".git/gitexp/moved-refs-{DEAD.pid}"
    note.parent.mkdir(exist_ok=True)
    note.write_text("refs/heads/results")
    (folder / lock).touch()
    return note


def test_recover_clears_what_a_killed_pick_left(kept: Path, gitexp: Gitexp) -> None:
    note = leave(kept)
    assert f"Cleared {kept / RESULTS}" in gitexp("recover").stderr
    assert not RESULTS.exists()
    assert not note.exists()


def test_the_next_pick_clears_it_too(kept: Path, gitexp: Gitexp) -> None:
    leave(kept, Path(".git/packed-refs.lock"))
    leave(kept)
    gitexp("pick", "--onto", "results")
    assert git("rev-parse", "results:train.py") == git("rev-parse", "exp/train:train.py")
    assert not list(Path(".git").glob("*refs.lock"))


def test_a_lock_that_is_older_or_of_another_ref_is_left_alone(folder: Path, repo: Repository) -> None:
    leave(folder)
    os.utime(RESULTS, (1, 1))
    other = folder / ".git/refs/heads/main.lock"
    other.touch()
    assert clear_locks(repo) == []
    assert RESULTS.exists()
    assert other.exists()


def test_a_lock_is_left_alone_while_its_command_lives(folder: Path, repo: Repository) -> None:
    note = leave(folder)
    note.rename(note.with_name(f"moved-refs-{os.getppid()}"))
    assert clear_locks(repo) == []
    assert RESULTS.exists()


def test_the_note_stays_where_git_failed(folder: Path, repo: Repository) -> None:
    RESULTS.touch()
    with pytest.raises(GitCommandError), noted(repo, "refs/heads/results"):
        refs.update(repo, "x", "create refs/heads/results HEAD")
    assert clear_locks(repo) == [RESULTS.resolve()]
    assert clear_locks(repo) == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_ref_does_not_stay_where_objects_are_missing(folder: Path, repo: Repository, exists: bool) -> None:
    """As after a `git gc --prune=now` that took the tree of a commit before a ref held it."""
    base = git("rev-parse", "HEAD").strip()
    if exists:
        git("branch", "results")
    tree = make_tree(repo, b"100644 blob " + git("rev-parse", "HEAD:train.py").strip().encode() + b"\tnew\0")
    commit = commit_tree(repo, tree, base, b"x\n")
    (folder / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(GitexpError, match="git gc ran beside"):
        move(repo, "x", "refs/heads/results", commit, base if exists else None, base)
    assert git("for-each-ref", "--format=%(objectname)", "refs/heads/results").strip() == (base if exists else "")
