"""A command that is struck at its k-th fault point, for every k; see :mod:`tests.helpers.faults`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.helpers import faults
from tests.helpers.faults import Ended, Fault
from tests.helpers.repositories import git
from tests.helpers.trees import files_below, files_of

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


def check_swept(folder: Path) -> None:
    """The next run in the clean tree finds exactly its candidate."""
    (folder / "train.py").write_text("SCORE = 2.5\n")
    ended = faults.gitexp(folder, "step", "-m", "next")
    assert ended.code == 0, ended.output
    owners = Path.home().glob(".cache/gitexp/trees/*/repository.txt")
    [top] = [owner.parent / "train/work" / folder.name for owner in owners if str(folder) in owner.read_text()]
    sealed = git("rev-parse", "exp/train~1^{tree}", cwd=folder).strip()
    assert files_below(top) == files_of(sealed, folder)


def check_steps(
    base: Path,
    runs: Path,
    score: str,
    verdict: str,
    step: Step,
    stride: int = ALL,
    check_next: Callable[[Path], None] = lambda folder: None,
) -> int:
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
        assert (folder / "train.py").read_text() in (faults.BASE, f"SCORE = {score}\n")
        recovered = recover(folder, struck)
        sealed = faults.check(folder, old_tip, candidate, verdict)
        assert sealed or not measured, "a finished measurement is lost"
        said = struck.output + recovered.output
        assert sealed or not finished or any(word in said for word in ("given up", "Interrupted", "gitexp: ")), said
        assert runs.read_text().count("\n") <= 1, "the run was made twice"
        assert "Nothing to recover" in faults.gitexp(folder, "recover").output
        assert not (folder / ".git/gitexp/train/kept").exists(), "what an undo took out is kept for ever"
        check_next(folder)

    return at_each_point(base, stride, strike, check)
