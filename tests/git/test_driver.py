"""git processes that are kept open: killed, interrupted, or told of other filters, they never answer wrongly."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import IO

import pytest

from gitexp.git.commits import commit_tree
from gitexp.git.driver import Batch, GitCommandError, read_line
from gitexp.git.objects import make_tree
from gitexp.git.repository import Repository
from tests.helpers.repositories import git, make_repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    folder = make_repository(tmp_path / "repository", {"train.py": "LR = 1\n"})
    os.utime(folder / ".git/objects/pack", (1, 1))  # what changed a moment ago may change again and not show it
    return Repository.discover(folder)


def _objects(repo: Repository) -> Batch:
    return repo.ask("cat-file", "--batch")


def test_one_process_answers_all_questions(repo: Repository) -> None:
    head = repo.resolve("HEAD")
    assert head == git("rev-parse", "HEAD", cwd=repo.top).strip()
    process = _objects(repo)._process
    assert repo.resolve("no such thing") is None
    assert repo.resolve("HEAD") == head
    assert _objects(repo)._process is process


def test_what_others_commit_meanwhile_is_seen(repo: Repository) -> None:
    before = repo.resolve("HEAD")
    git("commit", "--allow-empty", "-qm", "another", cwd=repo.top)
    git("gc", "-q", cwd=repo.top)
    assert repo.resolve("HEAD") != before
    assert repo.resolve("HEAD~1") == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_is_replaced(repo: Repository, number: signal.Signals) -> None:
    head = repo.resolve("HEAD")
    process = _objects(repo)._process
    assert process
    process.send_signal(number)
    process.wait()
    assert repo.resolve("HEAD") == head
    assert repo.resolve("HEAD~0") == head


def test_an_answer_that_was_not_read_is_not_the_next_one(repo: Repository) -> None:
    head = repo.resolve("HEAD")

    def interrupted(answer: IO[bytes]) -> None:
        read_line(answer)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _objects(repo).ask(b"HEAD\n", interrupted)
    assert repo.resolve("HEAD") == head


def test_what_git_refuses_it_refuses_in_its_own_words(repo: Repository) -> None:
    with pytest.raises(GitCommandError, match=r"nothing"):
        repo.filters.store("nothing")
    assert repo.filters.store("train.py") == git("rev-parse", "HEAD:train.py", cwd=repo.top).strip()


def test_filters_are_those_of_now(repo: Repository) -> None:
    (repo.top / "train.py").write_bytes(b"a\r\nb\r\n")
    plain = repo.filters.store("train.py")
    assert repo.filters.content("train.py", plain) == b"a\r\nb\r\n"
    (repo.top / ".gitattributes").write_text("*.py text eol=crlf\n")
    cleaned = repo.filters.store("train.py")
    assert cleaned == git("hash-object", "--stdin", cwd=repo.top, stdin="a\nb\n").strip()
    assert repo.filters.content("train.py", cleaned) == b"a\r\nb\r\n"
    (repo.top / ".gitattributes").unlink()
    assert repo.filters.store("train.py") == plain
    assert repo.filters.content("train.py", cleaned) == b"a\nb\n"


def test_names_that_git_would_read_as_something_else(repo: Repository) -> None:
    for name in ('"quoted".py', "two\nlines.py", " spaces ", "-w", "é.py"):
        (repo.top / name).write_text(name)
        assert repo.filters.store(name) == git("hash-object", "--stdin", cwd=repo.top, stdin=name).strip()
    assert repo.resolve("HEAD\nHEAD") is None


def test_what_a_removed_pack_held_is_written_again(repo: Repository) -> None:
    """A process that has the pack open would say that it has them, and write nothing."""
    (repo.top / "train.py").write_text("LR = 2\n")
    blob = repo.filters.store("train.py")
    listing = f"100644 blob {blob}\tx\0".encode()
    tree = make_tree(repo, listing)
    commit = commit_tree(repo, tree, None, b"lost\n")
    git("update-ref", "refs/heads/lost", commit, cwd=repo.top)
    git("repack", "-adq", cwd=repo.top)
    git("prune-packed", cwd=repo.top)
    assert (repo.filters.store("train.py"), make_tree(repo, listing)) == (blob, tree)  # found in the pack
    assert repo.tree(tree)
    git("update-ref", "-d", "refs/heads/lost", cwd=repo.top)
    git("reflog", "expire", "--expire=now", "--all", cwd=repo.top)
    git("gc", "-q", "--prune=now", cwd=repo.top)
    assert repo.tree(tree) is None
    assert (repo.filters.store("train.py"), make_tree(repo, listing)) == (blob, tree)
    assert git("cat-file", "-t", blob, cwd=repo.top) == "blob\n"
    assert git("cat-file", "-t", tree, cwd=repo.top) == "tree\n"


def test_filters_are_those_of_the_configuration_now(repo: Repository) -> None:
    (repo.top / "train.py").write_bytes(b"a\r\n")
    plain = repo.filters.store("train.py")
    git("config", "core.autocrlf", "input", cwd=repo.top)
    assert repo.filters.store("train.py") != plain


def test_an_interrupt_ends_the_git_that_runs(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go on writing what its caller is about to remove."""
    interrupted: list[subprocess.Popen[bytes]] = []

    def interrupt(process: subprocess.Popen[bytes], *args: object) -> None:
        interrupted.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        repo.run("cat-file", "--batch", stdin=b"")
    assert interrupted[0].returncode is not None
