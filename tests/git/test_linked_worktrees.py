"""The work trees of one repository, as git sets them up."""

from __future__ import annotations

from pathlib import Path

from gitexp.git import linked_worktrees
from gitexp.git.repository import Repository
from tests.helpers.repositories import git, make_repository


def test_a_branch_is_in_use_while_it_is_checked_out_or_bisected(repo: Repository, tmp_path: Path) -> None:
    git("branch", "other", cwd=repo.top)
    assert linked_worktrees.user_of(repo, "other") is None
    git("worktree", "add", "-q", str(tmp_path / "linked"), "other", cwd=repo.top)
    assert linked_worktrees.user_of(repo, "other") == tmp_path / "linked"
    git("bisect", "start", cwd=tmp_path / "linked")
    git("checkout", "-q", "--detach", cwd=tmp_path / "linked")
    assert linked_worktrees.user_of(repo, "other") == tmp_path / "linked"
    assert linked_worktrees.user_of(repo, "main") == repo.top


def test_a_work_tree_of_this_repository_is_told_from_another_ones(repo: Repository, tmp_path: Path) -> None:
    git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), cwd=repo.top)
    assert linked_worktrees.is_work_tree(repo, tmp_path / "linked")
    assert not linked_worktrees.is_work_tree(repo, make_repository(tmp_path / "another", {"x": "x"}))
    assert not linked_worktrees.is_work_tree(repo, tmp_path)
    assert not linked_worktrees.is_work_tree(repo, tmp_path / "nowhere")
