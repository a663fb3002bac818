"""The words of a revert and of a picked commit are those that git writes."""

from __future__ import annotations

from gitexp.git.commits import commit_tree, first_parents
from gitexp.git.provenance import is_revert, picked_commits, revert_message, reverted_commits
from gitexp.git.repository import Repository
from tests.helpers.repositories import git


def test_a_revert_is_worded_and_read_as_git_words_it(repo: Repository) -> None:
    (repo.top / "train.py").write_text("LR = 7\n")
    git("commit", "-qam", 'exp001 KEEP: "LR" up', cwd=repo.top)
    commit = repo.line("rev-parse", "HEAD")
    git("revert", "--no-edit", "HEAD", cwd=repo.top)
    message = next(first_parents(repo, "HEAD")).message
    assert message == revert_message('exp001 KEEP: "LR" up', commit)
    assert reverted_commits(message) == [commit]
    assert is_revert(message, b"exp")
    assert not is_revert(message, b"other")
    assert picked_commits(message) == []


def test_a_picked_commit_is_read_as_git_words_it(repo: Repository) -> None:
    commit = commit_tree(repo, repo.tree_of("HEAD"), repo.resolve("HEAD"), b"exp001 KEEP: a\n\nExp-Id: exp001\n")
    for _ in range(2):
        git("cherry-pick", "--allow-empty", "-x", commit, cwd=repo.top)
    message = next(first_parents(repo, "HEAD")).message
    assert picked_commits(message) == [commit]
    assert reverted_commits(message) == []
