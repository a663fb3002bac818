"""``hook``: a clone runs nothing before its user says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, set_lr


def test_a_clone_runs_nothing_until_told(
    one_of_each: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", str(one_of_each), str(clone))
    monkeypatch.chdir(clone)
    set_lr(clone, 0.3)
    assert "There is no post-run hook" in gitexp("step", "-m", "x", code=1).stderr
    assert "There is no post-run hook" in gitexp("hook", code=1).stderr
    gitexp("hook", "--install")
    assert "There is a hook already" in gitexp("hook", "--install", code=1).stderr
    assert "The baseline was measured with it." in gitexp("hook").stdout
    assert "exp004 KEEP 2.000000" in gitexp("step", "-m", "x").stdout
