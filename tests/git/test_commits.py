"""Commits read from real histories, and written: git finds in each what it was told."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from git import Git

from gitexp.git import commits, refs
from gitexp.git.commits import commit_tree, first_parents
from gitexp.git.driver import GitCommandError, start
from gitexp.git.repository import Repository
from tests.helpers.repositories import git


def test_the_log_follows_first_parents_through_merges(repo: Repository) -> None:
    start = git("rev-parse", "HEAD", cwd=repo.top).strip()
    git("checkout", "-q", "-b", "side", cwd=repo.top)
    git("commit", "-q", "--allow-empty", "-m", "side", cwd=repo.top)
    side = git("rev-parse", "HEAD", cwd=repo.top).strip()
    git("checkout", "-q", "main", cwd=repo.top)
    git("commit", "-q", "--allow-empty", "-m", "main\n\nbody\n\nExp-Id: x", cwd=repo.top)
    git("merge", "-q", "--no-ff", "-m", "merge", "side", cwd=repo.top)
    tree = git("rev-parse", "HEAD^{tree}", cwd=repo.top).strip()
    log = list(first_parents(repo, "main"))
    assert [commit.message.strip() for commit in log] == [b"merge", b"main\n\nbody\n\nExp-Id: x", b"start"]
    assert [commit.parents for commit in log] == [(log[1].oid, side), (start,), ()]
    assert [commit.oid for commit in log] == git("rev-list", "--first-parent", "main", cwd=repo.top).split()
    assert log[0].tree == tree


def test_messages_are_read_byte_for_byte(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    messages = [b"", b"x", b"x\n\n\n\ny\n", b"\xc3\xa9\r\n\x1b[31m\n", b"  x  \n", b"n" * 200_000 + b"\nend\n"]
    for message in messages:
        commit = commit_tree(repo, repo.tree_of(head), head, message)
        assert next(iter(first_parents(repo, commit))).message.strip(b"\n") == message.strip(b"\n")


def test_a_long_history_may_be_left_anywhere(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    stream = "".join(
        f"commit refs/heads/long\ncommitter A <a@b> {n} +0000\ndata 1000\n{'m' * 1000}\n"
        + (f"from {head}\n" if n == 0 else "")
        for n in range(500)
    )
    git("fast-import", "--quiet", cwd=repo.top, stdin=stream)
    log = first_parents(repo, "long")
    assert len(next(log).message) >= 1000
    log.close()  # type: ignore[attr-defined]
    assert sum(1 for _ in first_parents(repo, "long")) == 501


def test_a_log_of_nothing_is_refused(repo: Repository) -> None:
    with pytest.raises(GitCommandError, match=r"git rev-list failed: .*nowhere"):
        list(first_parents(repo, "nowhere"))


def test_a_commit_is_signed_when_git_is_told_to_sign(repo: Repository) -> None:
    head = repo.line("rev-parse", "HEAD")
    git("config", "gpg.program", "false", cwd=repo.top)
    commit_tree(repo, repo.tree_of(head), head, b"x\n")
    git("config", "commit.gpgSign", "true", cwd=repo.top)
    with pytest.raises(GitCommandError, match="sign"):
        commit_tree(Repository.discover(repo.top), repo.tree_of(head), head, b"x\n")


def test_a_commit_is_exactly_what_it_was_told_to_be(repo: Repository) -> None:
    git("config", "i18n.commitEncoding", "ISO-8859-1", cwd=repo.top)
    head = repo.line("rev-parse", "HEAD")
    commit = commit_tree(repo, repo.tree_of(head), head, "é\n\n# x\n\n\n  y  ".encode())
    data = repo.run("cat-file", "commit", commit)
    assert data.endswith("\n\né\n\n# x\n\n\n  y  ".encode())
    assert b"\nencoding " not in data
    assert repo.line("rev-parse", f"{commit}^") == head


def test_a_commit_that_git_pruned_before_a_ref_held_its_child_is_written_again(repo: Repository) -> None:
    tree, base = repo.tree_of("HEAD"), git("rev-parse", "HEAD").strip()
    commit = commit_tree(repo, tree, base, b"one\n")
    git("prune", "--expire=now")
    child = commit_tree(repo, tree, commit, b"two\n")
    assert repo.object(commit) is None
    refs.update(repo, "x", f"update refs/heads/main {child} {base}")
    assert git("log", "--format=%s", "main").split() == ["two", "one", "start"]


@pytest.mark.parametrize("printed", ["", "0123", f"{40 * '1'} commit 300", f"{40 * '1'} commit 300\\ntree"])
def test_a_git_that_is_killed_as_it_prints_does_not_shorten_a_history(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, printed: str
) -> None:
    def start_and_kill(driver: Git, *args: str, **options: Any) -> subprocess.Popen[bytes]:
        if args[0] == "cat-file":  # in its place one that is killed at this point
            pipes = {"stdin": options["stdin"], "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            return subprocess.Popen(["sh", "-c", f"printf '{printed}'; kill -9 $$"], **pipes)
        return start(driver, *args, **options)

    monkeypatch.setattr(commits, "start", start_and_kill)
    with pytest.raises(GitCommandError, match="git cat-file failed: killed by signal 9"):
        list(first_parents(repo, "HEAD"))
