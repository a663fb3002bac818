"""Where a repository is found, and what is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.driver import GitCommandError
from gitexp.git.repository import Repository
from gitexp.git.status import tracked_changes
from tests.helpers.repositories import git


def test_a_repository_is_found_from_below_and_from_a_linked_work_tree(repo: Repository, tmp_path: Path) -> None:
    (repo.top / "in" / "deep").mkdir(parents=True)
    below = Repository.discover(repo.top / "in" / "deep")
    assert (below.root, below.git_dir, below.common_dir) == (repo.root, repo.git_dir, repo.common_dir)
    git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"), cwd=repo.top)
    linked = Repository.discover(tmp_path / "linked")
    assert linked.top.samefile(tmp_path / "linked")
    assert linked.common_dir.samefile(repo.git_dir)
    assert not linked.git_dir.samefile(repo.git_dir)
    assert (refs.current_branch(repo), refs.current_branch(linked)) == ("main", "other")


def test_a_bare_repository_has_no_top(repo: Repository, tmp_path: Path) -> None:
    git("clone", "-q", "--bare", str(repo.top), str(tmp_path / "bare"))
    bare = Repository.discover(tmp_path / "bare")
    assert bare.root is None
    assert bare.resolve("main") == repo.resolve("HEAD")
    with pytest.raises(GitexpError, match="no work tree"):
        _ = bare.top


def test_outside_of_a_repository_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(GitexpError, match="not inside a git repository") as refused:
        Repository.discover(tmp_path)
    assert refused.value.hint == "git init"


def test_asking_for_what_there_is_not(repo: Repository) -> None:
    assert repo.resolve("nowhere") is None
    assert repo.resolve("HEAD:train.py") is None
    assert refs.read(repo, "HEAD:train.py") == repo.line("hash-object", "train.py")
    assert refs.read(repo, "refs/heads/nowhere") is None
    assert repo.config.get("no.such") is None
    assert repo.lookup("rev-parse", "--verify", "-q", "x") is None
    with pytest.raises(GitCommandError, match=r"git rev-parse failed: .*Needed a single revision"):
        repo.line("rev-parse", "--verify", "nowhere")


def test_a_shallow_clone_is_known(repo: Repository, tmp_path: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=repo.top)
    git("clone", "-q", "--depth", "1", f"file://{repo.top}", str(tmp_path / "shallow"))
    shallow = Repository.discover(tmp_path / "shallow")
    assert shallow.is_shallow()
    assert not repo.is_shallow()
    assert shallow.shallow_commits() == {repo.resolve("HEAD")}
    assert repo.shallow_commits() == frozenset()


def test_hooks_are_where_git_looks_for_them(repo: Repository, tmp_path: Path) -> None:
    assert repo.hook_path("post-run") == repo.git_dir / "hooks" / "post-run"
    git("config", "core.hooksPath", "tools/hooks", cwd=repo.top)
    (repo.top / "in").mkdir()
    assert Repository.discover(repo.top / "in").hook_path("post-run") == repo.top / "tools" / "hooks" / "post-run"
    git("config", "core.hooksPath", str(tmp_path), cwd=repo.top)
    assert Repository.discover(repo.top).hook_path("post-run") == tmp_path / "post-run"


def test_what_a_hook_or_alias_inherits_does_not_bend_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_INDEX_FILE", str(folder / "elsewhere"))
    monkeypatch.setenv("GIT_PREFIX", "in/")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "0")
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_WORK_TREE", ".")  # which is made absolute: other tests must not find it
    repo = Repository.discover(folder)
    monkeypatch.chdir("/")
    assert tracked_changes(repo) == []
    assert repo.top.samefile(folder)
