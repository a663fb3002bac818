"""A night with the MLX template, made short: killed -9 on the way, resumed, ended by patience."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from gitexp.model import Iteration, Status
from gitexp.setup.demo import make
from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import start_loop
from tests.helpers.repositories import git

pytestmark = pytest.mark.slow  # trains, some thirty times

ROUNDS = 30
# By the iteration's number, so that a proposal does not depend on what was killed. The early ones help, the rest don't.
PROPOSER = """\
import os, re, sys
number = int(os.environ["EXPERIMENT_ID"][3:])
assert "# Brief" in sys.stdin.read()
helpful = {1: ("HEAD_LR", "0.002"), 2: ("HEAD_LR", "0.005"), 3: ("HEAD_LR", "0.01")}
name, value = helpful.get(number, ("MATRIX_LR", f"{1 + number / 10:.1f}"))
text = open("train.py").read()
open("train.py", "w").write(re.sub(rf"^{name} = [^ \\n]*", f"{name} = {value}", text, flags=re.M))
print(f"{name} {value}")
"""


@pytest.fixture
def night(tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The template's experiment, from a head rate that is far too low."""
    folder = make(tmp_path / "night").top
    monkeypatch.chdir(folder)
    frozen = [word for file in ("prepare.py", "kernels.py", "evaluate.py") for word in ("--freeze", file)]
    gitexp("init", "--name", "night", "--budget", "1", "--rule", "single", *frozen)
    return folder


def iterations(folder: Path) -> int:
    return len(ledger_of(folder, "night").iterations)


def kill_at(folder: Path, count: int, args: Sequence[str], command: str = "loop") -> None:
    """Let it go on until there are ``count`` iterations and the next run has begun; then kill it."""
    process = start_loop(folder, *args, command=command)
    running = folder / ".git/gitexp/night/running.json"
    until = time.monotonic() + 200
    while iterations(folder) < count or not running.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    process.kill()
    process.communicate()


def test_a_loop_of_thirty_rounds_is_killed_twice_and_ends_by_patience(night: Path, tmp_path: Path) -> None:
    (tmp_path / "proposer.py").write_text(PROPOSER)
    args = ["--patience", str(ROUNDS - 3), "--", sys.executable, str(tmp_path / "proposer.py")]
    kill_at(night, 5, args)
    kill_at(night, 12, args)
    process = start_loop(night, *args)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert f"because the last {ROUNDS - 3} steps brought no KEEP" in out
    assert len(in_order(night)) >= 1 + ROUNDS - 2
    assert ledger_of(night, "night").count(Status.KEEP) >= 2


def test_a_sweep_of_three_constants_is_killed_twice_and_tries_each_value_once(night: Path) -> None:
    values = {"HEAD_LR": ("0.002", "0.01"), "MATRIX_LR": ("0.04", "1.5"), "MLP_RATIO": ("2", "3")}
    args = [f"{name}={','.join(tried)}" for name, tried in values.items()]
    kill_at(night, 2, args, "sweep")
    kill_at(night, 5, args, "sweep")
    process = start_loop(night, *args, command="sweep")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "The sweep ended because there is nothing left to try" in out
    assert [i.candidate.params for i in in_order(night)[1:]] == [
        ((name, v),) for name, tried in values.items() for v in tried
    ]
    assert git("for-each-ref", "refs/gitexp", cwd=night) == ""


def in_order(folder: Path) -> tuple[Iteration, ...]:
    """The iterations, when nothing is lost, doubled, forged or left lying."""
    iterations = ledger_of(folder, "night").iterations
    assert [i.number for i in iterations] == list(range(len(iterations)))
    assert len({i.candidate.run for i in iterations}) == len(iterations)
    fsck = [sys.executable, "-m", "gitexp", "fsck"]
    done = subprocess.run(fsck, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert git("status", "--porcelain", cwd=folder) == ""
    return iterations
