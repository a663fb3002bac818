"""The experiments that a command is about: the one checked out, or the one it names, or all that have files here."""

from __future__ import annotations

from pathlib import Path

import click

from gitexp.git.repository import Repository
from gitexp.git.scratch import clear_scratch
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX

experiment_option = click.option(
    "-e", "--experiment", "name", metavar="NAME", help="An experiment other than the one checked out."
)


def open_experiment(name: str | None) -> tuple[Repository, str]:
    """The repository here, and the name of the experiment: ``name``, or the one checked out."""
    repo = Repository.discover(Path.cwd())
    clear_scratch(repo)
    return repo, name.removeprefix(BRANCH_PREFIX) if name else history.current_name(repo)


def open_ledger(name: str | None) -> tuple[Repository, Ledger]:
    """The repository here, and the ledger of the experiment ``name``, or of the one checked out."""
    repo, wanted = open_experiment(name)
    return repo, history.load(repo, wanted)
