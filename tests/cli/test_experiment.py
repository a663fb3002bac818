"""Which repository and experiment a command is about, from wherever it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, set_lr


def test_a_shallow_clone_is_refused_with_the_way_out(
    one_of_each: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", "--depth", "2", f"file://{one_of_each}", str(clone))
    monkeypatch.chdir(clone)
    said = gitexp("log", code=1).stderr
    assert "this clone is shallow" in said
    git(*said.split("try: git ")[1].split())
    assert "exp003" in gitexp("log").stdout


def test_from_a_subfolder_and_from_a_linked_worktree(
    one_of_each: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one_of_each / "sub").mkdir()
    monkeypatch.chdir(one_of_each / "sub")
    assert "exp003" in gitexp("log").stdout
    git("worktree", "add", "-q", "-b", "exp/other", str(tmp_path / "linked"), "main")
    monkeypatch.chdir(tmp_path / "linked")
    git("switch", "-q", "--detach")
    git("branch", "-q", "-D", "exp/other")
    gitexp("init", "--name", "other")
    set_lr(tmp_path / "linked", 0.3)
    assert "exp001 KEEP" in gitexp("step", "-m", "in a linked worktree").stdout
    assert (tmp_path / "linked" / "results.tsv").exists()
    assert git("status", "--porcelain") == ""


def test_an_experiment_that_does_not_exist(one_of_each: Path, gitexp: Gitexp) -> None:
    assert "There is no experiment nope" in gitexp("log", "-e", "nope", code=1).stderr


def test_git_exp_finds_the_repository_named_by_git(
    one_of_each: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``git --git-dir=… exp log`` runs git-exp with GIT_DIR set, relative to where it was typed."""
    monkeypatch.chdir(one_of_each.parent)
    monkeypatch.setenv("GIT_DIR", "repository/.git")
    monkeypatch.setenv("GIT_WORK_TREE", "repository")
    assert "exp003" in gitexp("log").stdout
