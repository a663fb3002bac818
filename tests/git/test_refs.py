"""Refs: the branch, and transactions that move all of them or none."""

from __future__ import annotations

import pytest

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.commits import commit_tree
from gitexp.git.driver import GitCommandError
from gitexp.git.repository import Repository
from gitexp.git.status import operation
from tests.helpers.repositories import git


def test_the_branch_and_the_operation(repo: Repository) -> None:
    assert refs.current_branch(repo) == "main"
    assert operation(repo) is None
    git("checkout", "-q", "--detach", cwd=repo.top)
    assert refs.current_branch(repo) is None
    git("symbolic-ref", "refs/heads/alias", "refs/heads/main", cwd=repo.top)
    git("symbolic-ref", "HEAD", "refs/heads/alias", cwd=repo.top)
    assert refs.current_branch(repo) == git("symbolic-ref", "--short", "HEAD", cwd=repo.top).strip() == "main"
    git("bisect", "start", cwd=repo.top)
    assert operation(repo) == "bisect"


def test_a_ref_moves_only_from_where_it_was(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    tree = repo.line("rev-parse", "HEAD^{tree}")
    commit = commit_tree(repo, tree, head, b"x\n")
    refs.update(repo, "why", f"create refs/gitexp/pending/x {tree}", f"update refs/heads/main {commit} {head}")
    assert repo.resolve("main") == commit
    assert refs.read(repo, "refs/gitexp/pending/x") == tree
    assert git("reflog", "-1", "--format=%gs", "main", cwd=repo.top) == "why\n"
    moves = [f"create refs/gitexp/pending/x {tree}", f"update refs/heads/main {head} {head}"]
    for move in moves:
        with pytest.raises(GitCommandError):
            refs.update(repo, "why", f"update refs/heads/other {head} {'0' * 40}", move)
        assert refs.read(repo, "refs/heads/other") is None  # all or nothing
    assert repo.resolve("main") == commit


def test_a_git_without_ref_transactions_moves_all_refs_or_none(repo: Repository) -> None:
    """A git before 2.27 takes what it is told as one transaction, without being told so."""
    repo.remembered[refs._NO_TRANSACTIONS] = True
    head = repo.line("rev-parse", "HEAD")
    refs.update(repo, "why", f"create refs/heads/one {head}", f"create refs/heads/two {head}")
    assert refs.matching(repo, "refs/heads/one", "refs/heads/two") == dict.fromkeys(
        ("refs/heads/one", "refs/heads/two"), head
    )
    with pytest.raises(GitCommandError):
        refs.update(repo, "why", f"create refs/heads/three {head}", f"create refs/heads/two {head}")
    assert refs.read(repo, "refs/heads/three") is None


def test_a_ref_that_a_power_cut_emptied_is_told_from_one_that_is_gone(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    name = refs.saved("x")
    refs.update(repo, "why", f"create {name} {head}")
    assert not refs.is_unreadable(repo, name)
    assert not refs.remove_unreadable(repo, name)
    (repo.git_dir / name).write_bytes(b"")
    assert refs.is_unreadable(repo, name)
    assert refs.remove_unreadable(repo, name)
    assert not refs.is_unreadable(repo, name)
    assert refs.read(repo, name) is None


def test_the_way_out_of_an_unreadable_branch_is_its_last_commit(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    refs.update(repo, "why", f"create refs/heads/other {head}")
    refs.check_readable(repo, "other")
    (repo.git_dir / "refs/heads/other").write_bytes(b"")
    with pytest.raises(GitexpError, match="The branch other is unreadable") as refused:
        refs.check_readable(repo, "other")
    assert refused.value.hint == f"rm {repo.git_dir}/refs/heads/other && git branch other {head[:10]}"
