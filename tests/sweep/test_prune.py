"""Runs that are ended early on purpose: by the loss, against the median of what was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.model import Status
from gitexp.run.curve import Point, Tenths
from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import Once, git, make_repository

TRAINER = """\
import sys, time
LR = 1.0
for percent in range(0, 101, 2):
    print(f"step {percent} ({percent}%) | loss {3 - percent / 100 + abs(LR - 1)}", flush=True)
    if LR > 5 and percent > 60:
        time.sleep(60)
print("---")
print(f"val_bpb: {2 + abs(LR - 1)}")
"""


@pytest.fixture
def curved(once: Once, gitexp: Gitexp) -> Path:
    def begin(folder: Path) -> None:
        make_repository(folder, {"train.py": TRAINER})
        gitexp("init", "--budget", "5", "--rule", "single")

    return once("curved", begin)


def test_each_iteration_seals_its_loss_by_tenths_of_the_budget(curved: Path) -> None:
    assert ledger_of(curved).baseline.measurement.curve[:2] == ((1, 2.95), (2, 2.84))
    assert "Exp-Curve: 1=2.95 2=2.84 3=" in git("log", "-1", "--format=%B", cwd=curved)


def test_a_run_that_lags_behind_is_ended_and_discarded(curved: Path, gitexp: Gitexp) -> None:
    gitexp("sweep", "LR=0.9,1.1,0.8,0.95,9.0,1.05", "--prune")
    iterations = ledger_of(curved).iterations
    pruned = iterations[5]
    assert (pruned.status, pruned.score) == (Status.DISCARD, None)
    assert pruned.reason.startswith("pruned at 30 % of the budget: its loss was 10.7")
    assert [len(i.measurement.curve) for i in iterations] == [9, 9, 9, 9, 9, 3, 9]
    assert pruned.measurement.seconds < 30
    assert iterations[6].score == 2.05
    text = gitexp("log").stdout
    assert "exp005  DISCARD" in text
    assert "pruned at 30 %" in gitexp("why", "exp005").stdout
    assert gitexp("fsck").exit_code == 0
    assert "pruned" not in gitexp("sweep", "LR=0.9,1.1,0.8,0.95,9.0,1.05", "--prune").stdout  # it was tried


def test_without_prune_nothing_is_ended(curved: Path, gitexp: Gitexp) -> None:
    gitexp("sweep", "LR=0.9,1.1,0.8,1.2,2.0,0.95")
    assert all(i.score is not None for i in ledger_of(curved).iterations)


def test_where_no_loss_is_printed_it_says_so(experiment: Path, gitexp: Gitexp) -> None:
    assert "the baseline printed none" in gitexp("sweep", "LR=0.2", "--prune", code=1).stderr


def test_tenths_by_time_where_the_run_names_no_share() -> None:
    tenths = Tenths(10.0)
    ended = [tenths.take(Point(float(second), seconds=float(second))) for second in range(1, 6)]
    assert ended == [None, (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]
    assert tenths.take(Point(9.0, seconds=99.0)) == (5, 5.0)
    assert tenths.means == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0)]
