"""``best``: the incumbent, and how to take it."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git


def test_best_says_how_to_take_it(one_of_each: Path, gitexp: Gitexp) -> None:
    text = gitexp("best").stdout
    assert text.startswith("exp001 KEEP 2.010000: LR 0.1 -> 0.2\n")
    commit = git("log", "-1", "--format=%H", "--grep", "Exp-Id: exp001", cwd=one_of_each)
    assert f"git cherry-pick -x {commit[:10]}" in text
    assert "from the baseline's 2.040000" in text
