"""Picked code is measured as the experiment's candidates were, or not at all."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.repositories import set_lr


def test_another_hook_is_refused_before_it_runs(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    hook_that(experiment, "echo val_bpb: 1\n")
    said = gitexp("pick", "--onto", "results", "--measure", code=1).stderr
    assert "is not the one the baseline was measured with" in said
    assert not list((experiment / ".git/gitexp/train/logs").glob("pick*.log"))
