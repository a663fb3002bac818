"""The check of pull requests: a GitHub Actions workflow that runs ``gitexp fsck`` on their commits."""

from __future__ import annotations

import os
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import read_file, write_file
from gitexp.git.repository import Repository
from gitexp.paths import inside
from gitexp.resources import read_data
from gitexp.shell import command
from gitexp.version import VERSION

FILE = ".github/workflows/gitexp.yml"


def write(repo: Repository) -> Path:
    """Write the workflow, and return its path. Raises GitexpError where another file is in its place."""
    check(repo)
    file = inside(repo.top, FILE)
    if not file.exists():
        write_file(file, _workflow())
    return file


def check(repo: Repository) -> None:
    """Raise GitexpError where another file is in the place of the workflow."""
    file = inside(repo.top, FILE)
    if os.path.lexists(file) and not (file.is_file() and read_file(file) == _workflow()):
        raise GitexpError(
            f"{FILE} exists, and is not what this gitexp ({VERSION}) writes.",
            f"{command('mv', file, f'{file}.old')} && gitexp init --ci   # then compare the two",
        )


def _workflow() -> bytes:
    text = read_data("templates", "ci", "gitexp.yml").decode()
    return text.replace("@GITEXP@", requirement(VERSION)).encode()


def requirement(version: str) -> str:
    """What pip installs for a version: that release or a later fix of it; any release for a checkout without one."""
    release = version.partition("+")[0]
    return f"gitexp~={release}" if "." in release else "gitexp"
