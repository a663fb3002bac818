"""What an experiment came to, as the message of the commit that ends its review branch."""

from __future__ import annotations

from collections.abc import Iterator

from gitexp.git.commits import Commit
from gitexp.ledger import trailers
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Iteration, Status, score_text
from gitexp.text import one_line


def title(ledger: Ledger) -> str:
    """``exp/train: val_bpb 2.667000 -> 1.807902``."""
    scores = f"{score_text(ledger.baseline.score)} -> {score_text(ledger.incumbent.score)}"
    return one_line(f"{BRANCH_PREFIX}{ledger.name}: {ledger.contract.metric} {scores}")


def to_message(ledger: Ledger, base: str, tree: str) -> bytes:
    """``base`` and ``tree`` bind the message to its commit, as an iteration's do."""
    text = f"The whole experiment, what was dropped too, is {BRANCH_PREFIX}{ledger.name} at {ledger.tip}."
    return trailers.write(f"Record of {title(ledger)}", text, _pairs(ledger, base, tree))


def _pairs(ledger: Ledger, base: str, tree: str) -> Iterator[tuple[str, str]]:
    yield "Exp-Summary", ledger.name
    yield "Exp-Tip", ledger.tip
    yield "Exp-Base", base
    yield "Exp-Tree", tree
    if ledger.notes.goal:
        yield "Exp-Goal", ledger.notes.goal
    yield "Exp-Optimize", f"{ledger.contract.direction.value} {ledger.contract.metric}"
    yield "Exp-Rule", ledger.contract.rule
    yield "Exp-First", _result(ledger.baseline)
    yield "Exp-Best", _result(ledger.incumbent)
    for status in Status:
        yield "Exp-Count", f"{status.value} {ledger.count(status)}"
    for iteration in ledger.iterations[1:]:
        if iteration.status is Status.KEEP:
            yield "Exp-Kept", _result(iteration)


def _result(iteration: Iteration) -> str:
    return f"{iteration.id} {iteration.commit} {iteration.score!r} {one_line(iteration.description)}".rstrip()


def is_of(commit: Commit, name: str) -> bool:
    """Whether a commit is the one that gitexp ended a review of the experiment ``name`` with, unchanged since."""
    message = trailers.read(commit.message)
    sealed = (message.first("Exp-Summary"), message.first("Exp-Base"), message.first("Exp-Tree"))
    return bool(commit.parents) and sealed == (name, commit.parents[0], commit.tree)
