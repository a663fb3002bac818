"""A command that is killed, interrupted, or finds the disk full at its k-th git call, file write or fork, for every k.

After each, ``gitexp recover`` must bring everything in order again; see :mod:`tests.helpers.faults` for how.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers import faults
from tests.helpers.faults import Ended, Fault
from tests.helpers.kill_points import (
    ALL,
    FAULTS,
    SOME,
    VERDICTS,
    at_each_point,
    check_steps,
    check_swept,
    recover,
    struck_by,
)
from tests.helpers.repositories import git

pytestmark = pytest.mark.slow  # kills


@pytest.mark.parametrize(("verdict", "score"), VERDICTS[:2])
def test_a_step_killed_at_some_points(tmp_path: Path, runs: Path, verdict: str, score: str) -> None:
    base = faults.begin(tmp_path / "base" / "repository")
    assert check_steps(base, runs, score, verdict, struck_by(faults.die), SOME, check_swept) > 80


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("verdict", "score"), VERDICTS[:2])
def test_a_step_in_place_struck_at_some_points(
    tmp_path: Path, runs: Path, verdict: str, score: str, fault: Fault
) -> None:
    base = faults.begin(tmp_path / "base" / "repository", "--in-place")
    assert check_steps(base, runs, score, verdict, struck_by(fault), SOME) > 80


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("verdict", "score"), VERDICTS)
def test_a_step_struck_at_every_point(
    tmp_path: Path, runs: Path, stride: int, verdict: str, score: str, fault: Fault
) -> None:
    base = faults.begin(tmp_path / "base" / "repository")
    assert check_steps(base, runs, score, verdict, struck_by(fault), ALL if fault is faults.die else stride) > 80


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_baseline_struck_at_every_point(tmp_path: Path, runs: Path, stride: int, fault: Fault) -> None:
    base = faults.make(tmp_path / "base" / "repository")
    (base / "train.py").write_text("SCORE = 1.0\n")  # not committed yet: the baseline takes it along
    start = git("rev-parse", "HEAD", cwd=base).strip()
    init = ("init", "--edit", "train.py", "--edit", "model", "--budget", "5", "--rule", "single")

    def strike(folder: Path, at: int) -> Ended:
        return faults.gitexp(folder, *init, at=at, fault=fault)

    def check(folder: Path, struck: Ended) -> None:
        measured = (folder / ".git/gitexp/train/result.json").exists()
        recover(folder, struck)
        git("fsck", "--strict", "--no-dangling", cwd=folder)
        assert (folder / "train.py").read_text() == "SCORE = 1.0\n"
        sealed = git("for-each-ref", "refs/heads/exp", cwd=folder) != ""
        assert sealed or not measured, "a finished measurement is lost"
        if not sealed:
            assert git("symbolic-ref", "HEAD", cwd=folder) == "refs/heads/main\n"
            assert git("status", "--porcelain", cwd=folder) == " M train.py\n?? scratch.txt\n"
            ended = faults.gitexp(folder, *init)
            assert ended.code == 0, ended.output
        assert git("rev-parse", "main", "exp/train^", cwd=folder).split() == [start, start]
        assert git("symbolic-ref", "HEAD", cwd=folder) == "refs/heads/exp/train\n"
        assert git("status", "--porcelain", cwd=folder) == "?? scratch.txt\n"
        assert git("show", "HEAD:train.py", cwd=folder) == "SCORE = 1.0\n"
        faults.check(
            folder,
            git("rev-parse", "HEAD", cwd=folder).strip(),
            git("rev-parse", "HEAD^{tree}", cwd=folder).strip(),
            "",
        )

    assert at_each_point(base, ALL if fault is faults.die else stride, strike, check) > 100
    assert os.path.exists(base)
