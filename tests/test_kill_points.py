"""A command that is killed, interrupted, or finds the disk full at its k-th git call, file write or fork, for every k.

After each, ``gitexp recover`` must bring everything in order again; see :mod:`faults` for how, and for what that means.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import faults
import pytest
from conftest import git
from faults import Ended, Fault

ALL, SOME = 1, 24  # every fault point, or a few
FAULTS = [faults.die, faults.disk_full, faults.interrupt]
VERDICTS = [("KEEP", "1.5"), ("DISCARD", "3.0"), ("CRASH", "crash")]


def at_each_point(
    base: Path, stride: int, strike: Callable[[Path, int], Ended], check: Callable[[Path, Ended], None]
) -> int:
    """Strike copies of ``base`` at one point after the other, until a command outlives all its points; how many."""
    at = 1
    while True:
        copy = base.parent.parent / f"at-{at}" / "repository"
        shutil.copytree(base, copy, symlinks=True)
        ended = strike(copy, at)
        if ended.points < at:
            return at - 1
        try:
            check(copy, ended)
        except BaseException:
            print(f"struck at point {at}: {ended}")
            raise
        shutil.rmtree(copy.parent)
        at += stride


def recover(folder: Path, struck: Ended) -> Ended:
    recovered = faults.gitexp(folder, "recover")
    assert recovered.code == 0, recovered.output
    if "Later: gitexp render" in struck.output:
        assert faults.gitexp(folder, "render").code == 0
    return recovered


Step = Callable[[Path, int], Ended]


def struck_by(fault: Fault) -> Step:
    """A step that ``fault`` strikes at a fault point."""
    return lambda folder, at: faults.gitexp(folder, "step", "-m", "x", at=at, fault=fault)


def check_steps(base: Path, runs: Path, score: str, verdict: str, step: Step, stride: int = ALL) -> int:
    old_tip = git("rev-parse", "exp/train", cwd=base).strip()
    candidate = ""

    def strike(folder: Path, at: int) -> Ended:
        nonlocal candidate
        candidate = faults.edit(folder, score)
        runs.write_text("")
        return step(folder, at)

    def check(folder: Path, struck: Ended) -> None:
        finished = runs.read_text() != ""
        measured = (folder / ".git/gitexp/train/result.json").exists()
        recovered = recover(folder, struck)
        sealed = faults.check(folder, old_tip, candidate, verdict)
        assert sealed or not measured, "a finished measurement is lost"
        said = struck.output + recovered.output
        assert sealed or not finished or any(word in said for word in ("given up", "Interrupted", "gitexp: ")), said
        assert runs.read_text().count("\n") <= 1, "the run was made twice"
        assert "Nothing to recover" in faults.gitexp(folder, "recover").output

    return at_each_point(base, stride, strike, check)


@pytest.mark.parametrize(("verdict", "score"), VERDICTS[:2])
def test_a_step_killed_at_some_points(tmp_path: Path, runs: Path, verdict: str, score: str) -> None:
    base = faults.begin(tmp_path / "base" / "repository")
    assert check_steps(base, runs, score, verdict, struck_by(faults.die), SOME) > 80


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
