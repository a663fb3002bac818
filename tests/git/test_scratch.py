"""Scratch trees: repositories of their own, which nobody's git sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.commits import commit_tree
from gitexp.git.repository import Repository
from gitexp.git.scratch import clear_scratch, scratch_tree
from tests.helpers.repositories import TOY, git, make_repository


def test_it_holds_the_commit_and_nobodys_git_sees_it(repo: Repository, scratch_home: Path) -> None:
    head, before = repo.line("rev-parse", "HEAD"), state(repo)
    with scratch_tree(repo, head) as work:
        assert (work.top / "train.py").read_text() == TOY
        assert (work.resolve("HEAD"), refs.current_branch(work)) == (head, None)
        assert work.run("status", "--porcelain") == b""
        assert state(repo) == before
    assert list(scratch_home.iterdir()) == []


def state(repo: Repository) -> list[str]:
    asked = (["worktree", "list"], ["for-each-ref"], ["status", "--porcelain"], ["stash", "list"], ["fsck", "--strict"])
    return [git(*args, cwd=repo.top) for args in asked]


def test_its_commits_are_objects_of_the_repository(repo: Repository, scratch_home: Path) -> None:
    with scratch_tree(repo, "HEAD") as work:
        tree, head = work.line("rev-parse", "HEAD^{tree}"), work.line("rev-parse", "HEAD")
        made = commit_tree(work, tree, head, b"in the scratch tree\n")
    assert git("log", "-1", "--format=%s", made, cwd=repo.top) == "in the scratch tree\n"


def test_it_has_the_repositorys_configuration_filters_and_attributes(repo: Repository, scratch_home: Path) -> None:
    git("config", "filter.upper.smudge", "tr a-z A-Z", cwd=repo.top)
    git("config", "core.sparseCheckout", "true", cwd=repo.top)
    (repo.git_dir / "info").mkdir(exist_ok=True)
    (repo.git_dir / "info/attributes").write_text("train.py filter=upper\n")
    with scratch_tree(repo, "HEAD") as work:
        assert (work.top / "train.py").read_text() == TOY.upper()


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_it_is_of_the_same_object_format_and_serves_bare_repositories(
    tmp_path: Path, scratch_home: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", form)
    made = make_repository(tmp_path / 'of "quotes"', {"a/b": "c"})
    git("clone", "-q", "--bare", str(made), str(tmp_path / "bare.git"))
    for place in (made, tmp_path / "bare.git"):
        with scratch_tree(Repository.discover(place), "HEAD") as work:
            assert (work.top / "a/b").read_text() == "c"
            assert work.run("status", "--porcelain") == b""


def test_it_serves_a_shallow_clone(tmp_path: Path, repo: Repository, scratch_home: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=repo.top)
    git("clone", "-q", "--depth", "1", f"file://{repo.top}", str(tmp_path / "shallow"))
    with scratch_tree(Repository.discover(tmp_path / "shallow"), "HEAD") as work:
        assert work.line("log", "--format=%s") == "two"


def test_one_at_a_time_and_a_live_one_is_not_cleared(repo: Repository, scratch_home: Path) -> None:
    with scratch_tree(repo, "HEAD") as work:
        clear_scratch(repo)
        assert work.top.is_dir()
        with pytest.raises(GitexpError, match="The scratch tree is in use by gitexp pick"), scratch_tree(repo, "HEAD"):
            pass
        assert work.top.is_dir()


def test_git_is_whole_when_its_making_is_killed(repo: Repository, scratch_home: Path) -> None:
    """At any of the git processes that make it: the person's git sees nothing of it, and it is cleared up."""
    made = []
    for git_call in range(1, 4):
        script = f"""
import os, sys
from pathlib import Path
from gitexp.git import scratch
from gitexp.git.repository import Repository
repo, run, calls = Repository.discover(Path({str(repo.top)!r})), scratch.run, []
def dying(*args, **how):
    calls.append(args)
    if len(calls) == {git_call}:
        os._exit(9)
    return run(*args, **how)
scratch.run = dying
with scratch.scratch_tree(repo, "HEAD"):
    pass
"""
        env = {"TMPDIR": str(scratch_home)}
        done = subprocess.run(["env", *(f"{k}={v}" for k, v in env.items()), sys.executable, "-c", script], check=False)
        made.append(done.returncode)
        for command in (["log", "--oneline", "--all"], ["fsck"], ["repack", "-dq"], ["rev-list", "--all", "--count"]):
            git(*command, cwd=repo.top)
        clear_scratch(repo)
        assert list(scratch_home.iterdir()) == []
    assert made == [9, 9, 9]
