"""Configuration, read as git reads it."""

from __future__ import annotations

import pytest

from gitexp.git.repository import Repository
from tests.helpers.repositories import git


def test_configuration_is_read_as_git_reads_it(repo: Repository) -> None:
    for value, meant in (("yes", True), ("0", False), ("on", True), ("", False)):
        git("config", "gitexp.x", value, cwd=repo.top)
        assert Repository.discover(repo.top).config.get_bool("gitexp.x", not meant) is meant
    assert repo.config.get_bool("gitexp.y", True) is True
    assert repo.config.get_bool("gitexp.y", False) is False
    git("config", "gitexp.x", " é\ttwo words", cwd=repo.top)
    assert Repository.discover(repo.top).config.get("gitexp.x") == " é\ttwo words"


def test_a_number_is_read_as_git_reads_it(repo: Repository) -> None:
    assert repo.config.get_int("gitexp.x") is None
    git("config", "gitexp.x", "2k", cwd=repo.top)
    assert Repository.discover(repo.top).config.get_int("gitexp.x") == 2048


def test_an_identity_is_what_git_would_write(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("author", "committer"):
        assert repo.config.identity(role) == git("var", f"GIT_{role.upper()}_IDENT", cwd=repo.top).strip()
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    repo = Repository.discover(repo.top)
    for role in ("author", "committer"):
        assert repo.config.identity(role) == git("var", f"GIT_{role.upper()}_IDENT", cwd=repo.top).strip()
    assert repo.config.identity("author").startswith("Somebody Else <")
