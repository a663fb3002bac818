"""Two clones of one experiment each seal an exp001, and ``git pull --rebase`` puts one on top of the other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import git, set_lr


@pytest.fixture
def rebased(experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp) -> Path:
    """The second clone, after its DISCARD was moved onto the first one's."""
    for name, value in (("first", 0.9), ("second", 0.8)):
        git("clone", "-q", str(experiment), str(tmp_path / name))
        monkeypatch.chdir(tmp_path / name)
        gitexp("hook", "--install")
        set_lr(tmp_path / name, value)
        gitexp("step", "-m", f"LR {value}")
    git("switch", "-q", "--detach", cwd=experiment)
    git("push", "-q", "origin", "exp/train", cwd=tmp_path / "first")
    git("pull", "-q", "--rebase", cwd=tmp_path / "second")
    return tmp_path / "second"


def test_a_step_refuses_and_names_the_way_out(rebased: Path, gitexp: Gitexp) -> None:
    set_lr(rebased, 0.3)
    refused = gitexp("step", "-m", "better", code=1).stderr
    assert "exp001 DISCARD 2.250000: LR 0.8 was sealed on another commit" in refused
    assert "another clone sealed exp001 on the same branch" in refused
    subprocess.run(["bash", "-c", refused.partition("try: ")[2]], cwd=rebased, check=True)
    assert (rebased / "train.py").read_text().startswith("LR = 0.3\n")  # the edit is still there
    gitexp("step", "-m", "better")
    assert [i.description for i in ledger_of(rebased).iterations[1:]] == ["LR 0.9", "better"]
    assert "is in order" in gitexp("fsck").stdout


def test_the_iterations_that_were_moved_are_kept_as_they_were(rebased: Path, gitexp: Gitexp) -> None:
    set_lr(rebased, 0.3)
    hint = gitexp("step", "-m", "better", code=1).stderr.partition("try: ")[2]
    git("restore", ".")
    subprocess.run(["bash", "-c", hint], cwd=rebased, check=True)
    git("switch", "-q", "exp/train-mine")
    set_lr(rebased, 0.25)
    gitexp("step", "-m", "better")
    listed = [line.split()[0] for line in gitexp("log").stdout.splitlines()[1:]]
    assert listed == ["exp000", "exp001", "exp002"]
    assert "is in order" in gitexp("fsck").stdout


def test_status_and_fsck_say_that_it_was_moved(rebased: Path, gitexp: Gitexp) -> None:
    assert "LR 0.8: sealed on another commit, and moved here: gitexp step" in gitexp("status").stdout
    assert "copied or moved here" in gitexp("fsck", code=1).stdout
