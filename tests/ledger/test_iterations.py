"""Iterations that lie in git answer as those in memory do, and as they stood before one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.columns import NAMES
from gitexp.ledger.iterations import IterationSequence, IterationTuple
from gitexp.ledger.lazy import FEW, LazyIterations
from gitexp.ledger.ledger import Ledger
from gitexp.verdict.rules import decide_again
from tests.bench.histories import make
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import Once
from tests.helpers.tampering import Branch


def check_alike(lazy: IterationSequence, eager: IterationTuple) -> None:
    last = len(eager) - 1
    assert len(lazy) == len(eager)
    assert [*lazy] == [*eager]
    assert [*reversed(lazy)] == [*reversed(eager)]
    assert [*lazy.row_texts()] == [*eager.row_texts()]
    assert [bytes(lazy.columns.column(name)) for name in NAMES] == [bytes(eager.columns.column(name)) for name in NAMES]
    assert lazy[last] == lazy[-1] == eager[-1]
    assert lazy[1:-1] == eager[1:-1]
    assert lazy.at([last, 0]) == eager.at([last, 0])
    assert lazy.index(eager[last]) == last


@pytest.mark.parametrize("length", [1, FEW + 20])
def test_iterations_in_git_answer_as_those_in_memory(once: Once, length: int) -> None:
    repo = Repository.discover(once(f"history-{length}", lambda place: make(place, length)))
    lazy = history.read(repo, "train", history.tip(repo, "train")).iterations
    assert isinstance(lazy, LazyIterations)
    eager = IterationTuple(tuple(lazy))
    check_alike(lazy, eager)
    for place in {1, length // 2 + 1, length}:
        check_alike(lazy.before(place), eager.before(place))
        check_alike(lazy.before(place).plus(eager[place:]), eager)
    check_alike(lazy, eager)


@pytest.mark.parametrize("branch", ["single", "confirm"], indirect=True)
def test_a_verdict_is_reached_again_by_what_stood_before_it(branch: Branch) -> None:
    ledger: Ledger = ledger_of(Path())
    assert len(ledger.iterations) == 9
    for iteration in ledger.iterations:
        again = decide_again(ledger, iteration)
        assert again == iteration.verdict
        assert (again.lead is None) == (iteration.delta is None)
    assert ledger.before(ledger.iterations[1]).incumbent == ledger.baseline
