"""The experiment that a command is about: the one checked out, or another that it names."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX

experiment_option = click.option(
    "-e", "--experiment", "name", metavar="NAME", help="Another experiment than the one checked out."
)


def open_experiment(name: str | None) -> tuple[Repository, str]:
    """The repository here, and the experiment that is asked for, or checked out."""
    repo = Repository.discover(Path.cwd())
    return repo, name.removeprefix(BRANCH_PREFIX) if name else history.current_name(repo)


def open_ledger(name: str | None) -> tuple[Repository, Ledger]:
    repo, wanted = open_experiment(name)
    return repo, history.load(repo, wanted)
