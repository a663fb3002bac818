"""The check of pull requests: a GitHub Actions workflow that runs ``gitexp fsck`` on their commits."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from gitexp.errors import GitexpError
from gitexp.files import read_file, write_file
from gitexp.git.repository import Repository
from gitexp.paths import inside
from gitexp.resources import read_data
from gitexp.version import VERSION

FILE = ".github/workflows/gitexp.yml"


def write(repo: Repository) -> Path:
    """Put the workflow in place, and say where that is. Nothing is overwritten."""
    check(repo)
    file = inside(repo.top, FILE)
    if not file.exists():
        write_file(file, _workflow())
    return file


def check(repo: Repository) -> None:
    """Raise for another workflow of that name."""
    file = inside(repo.top, FILE)
    if os.path.lexists(file) and not (file.is_file() and read_file(file) == _workflow()):
        raise GitexpError(
            f"{FILE} is there already, and is not what this gitexp ({VERSION}) writes.",
            f"mv {quote(str(file))} {quote(str(file))}.old && gitexp init --ci   # and then compare them",
        )


def _workflow() -> bytes:
    text = read_data("templates", "ci", "gitexp.yml").decode()
    return text.replace("@GITEXP@", requirement(VERSION)).encode()


def requirement(version: str) -> str:
    """This release and those that mend it; any, for a checkout that has no version."""
    release = version.partition("+")[0]
    return f"gitexp~={release}" if "." in release else "gitexp"
