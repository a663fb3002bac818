"""git itself dies at its k-th call, for every k: before it did anything, after it did all, having said nothing of what
it did, or holding a lock."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.helpers import faults
from tests.helpers.faults import Ended
from tests.helpers.kill_points import VERDICTS, check_steps

# Stands before git on PATH. At call $DIES_AT it dies in the way that $DIES says.
DYING_GIT = """#!/bin/sh
echo call >> "$CALLS"
[ "$(wc -l < "$CALLS")" -eq "$DIES_AT" ] || exec {git} "$@"
case $DIES in
after) {git} "$@" ;;
mute) (sleep 0.2; kill -9 $$) & {git} "$@" > /dev/null ;;
locked | alone)
    case "$*" in
    *update-index*) touch .git/index.lock ;;
    *update-ref*) touch .git/HEAD.lock .git/packed-refs.lock .git/refs/heads/exp/train.lock ;;
    *"symbolic-ref -m"*) touch .git/HEAD.lock ;;
    esac
    [ $DIES = alone ] || kill -9 $PPID ;;
esac
kill -9 $$
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["before", "after", "mute", "locked", "alone"])
@pytest.mark.parametrize(("verdict", "score"), VERDICTS[:2])  # a CRASH is sealed as a DISCARD is
def test_git_dies_at_every_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: Path, verdict: str, score: str, way: str
) -> None:
    base = faults.begin(tmp_path / "base" / "repository")
    calls, path = tmp_path / "calls", os.environ["PATH"]
    dying = tmp_path / "bin" / "git"
    dying.parent.mkdir()
    dying.write_text(DYING_GIT.replace("{git}", str(shutil.which("git"))))
    dying.chmod(0o755)
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setenv("DIES", way)

    def step(folder: Path, at: int) -> Ended:
        calls.write_text("")
        monkeypatch.setenv("DIES_AT", str(at))
        monkeypatch.setenv("PATH", f"{dying.parent}:{path}")
        ended = faults.gitexp(folder, "step", "-m", "x")
        monkeypatch.setenv("PATH", path)
        ended.points = calls.read_text().count("\n")
        return ended

    assert check_steps(base, runs, score, verdict, step) > 15
