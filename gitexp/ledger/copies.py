"""Iterations that stand on another commit than the one they were sealed on: a rebase or a cherry-pick copied them."""

from __future__ import annotations

from gitexp.git.commits import first_parents
from gitexp.git.repository import Repository
from gitexp.ledger import messages, trailer_block
from gitexp.ledger.ledger import Ledger
from gitexp.model import headline
from gitexp.text import one_line


def copied_iterations(repo: Repository, ledger: Ledger) -> list[str]:
    """The subjects of the copies above the newest commit that a step made, newest first."""
    copies: list[str] = []
    for commit in first_parents(repo, ledger.tip) if ledger.foreign_commits else ():
        if commit.oid == ledger.sealed:
            break
        iteration = messages.from_message(trailer_block.read(commit.message), commit.oid)
        if iteration and commit.parents[:1] != (iteration.base,):
            copies.append(one_line(headline(iteration)))
    return copies
