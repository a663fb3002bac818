"""What an experiment came to, as the message of the commit that ends its review branch."""

from __future__ import annotations

from dataclasses import dataclass

from gitexp.git.commits import Commit
from gitexp.ledger import trailer_block, trailers
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Contract, Iteration, Status, score_text
from gitexp.text import one_line


def title(ledger: Ledger) -> str:
    """``exp/train: val_bpb 2.667000 -> 1.807902``."""
    scores = f"{score_text(ledger.baseline.score)} -> {score_text(ledger.incumbent.score)}"
    return one_line(f"{BRANCH_PREFIX}{ledger.name}: {ledger.contract.metric} {scores}")


@dataclass(frozen=True, slots=True)
class Summary:
    """What an experiment came to. A result is an iteration's id, commit, score and description, on one line."""

    name: str
    tip: str  # of the experiment's branch
    base: str  # this and the tree bind the message to its commit, as an iteration's do
    tree: str
    goal: str
    contract: Contract
    first: str  # the baseline's result
    best: str  # the incumbent's
    counts: tuple[str, ...]  # ``KEEP 5``, one for each verdict
    kept: tuple[str, ...]  # each KEEP's result, without the baseline's

    @property
    def rule(self) -> str:
        return self.contract.rule

    @classmethod
    def of(cls, ledger: Ledger, base: str, tree: str) -> Summary:
        return cls(
            ledger.name,
            ledger.tip,
            base,
            tree,
            ledger.notes.goal or "",
            ledger.contract,
            _result(ledger.baseline),
            _result(ledger.incumbent),
            tuple(f"{status.value} {ledger.count(status)}" for status in Status),
            tuple(_result(each) for each in ledger.iterations[1:] if each.status is Status.KEEP),
        )


def to_message(ledger: Ledger, base: str, tree: str) -> bytes:
    """The message of the commit with the tree ``tree`` on top of ``base`` that sums a ledger up."""
    text = f"The whole experiment, what was dropped too, is {BRANCH_PREFIX}{ledger.name} at {ledger.tip}."
    pairs = trailers.written(trailers.SUMMARIES, {"summary": Summary.of(ledger, base, tree)})
    return trailer_block.write(f"Record of {title(ledger)}", text, pairs)


def _result(iteration: Iteration) -> str:
    return f"{iteration.id} {iteration.commit} {iteration.score!r} {one_line(iteration.description)}".rstrip()


def is_of(commit: Commit, name: str) -> bool:
    """Whether a commit is the one that gitexp ended a review of the experiment ``name`` with, unchanged since."""
    message = trailer_block.read(commit.message)
    sealed = (message.first("Exp-Summary"), message.first("Exp-Base"), message.first("Exp-Tree"))
    return bool(commit.parents) and sealed == (name, commit.parents[0], commit.tree)
