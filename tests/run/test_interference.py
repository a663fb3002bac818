"""A run that was spoiled from outside is no verdict: it is made again, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitexp.run import interference
from gitexp.run.interference import InterferenceMonitor, is_loaded, keep_awake, speed
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import git, set_lr

pytestmark = pytest.mark.slow  # waits until a run has been disturbed

# The trainer stops itself for a while, as often as $STOPS says, and a child of the hook continues it.
STOPPED = """
grep -q 0.1 train.py && { echo val_bpb: 2; exit 0; }
echo x >> "$RUNS"
if [ "$(wc -l < "$RUNS")" -le "$STOPS" ]; then
    sleep 60 & trainer=$!
    kill -STOP $trainer; sleep 0.8; kill -CONT $trainer; kill $trainer
    echo val_bpb: 99
else
    echo val_bpb: 1
fi
"""


@pytest.fixture
def stopping(folder: Path, gitexp: Gitexp, runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(interference, "NOTICED", 0.4)
    hook_that(folder, STOPPED)
    gitexp("init", "--budget", "5")
    set_lr(folder, 0.2)
    return folder


def test_a_run_that_was_stopped_is_made_again(stopping: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOPS", "1")
    result = gitexp("step", "-m", "x")
    assert "exp001: the run was stopped for 1 s: no verdict. Run again (1 of 2)." in result.stderr
    assert "exp001 KEEP 1.000000" in result.stdout
    assert "an earlier run was spoiled: the run was stopped for 1 s" in result.stdout
    assert git("log", "-1", "--format=%(trailers:key=Exp-Spoiled,valueonly)").strip() == "the run was stopped for 1 s"
    assert ledger_of(stopping).incumbent.measurement.spoiled == ("the run was stopped for 1 s",)
    assert json.loads(gitexp("log", "--json").stdout)[1]["spoiled"] == ["the run was stopped for 1 s"]
    assert "in order" in gitexp("fsck").stdout


@pytest.mark.slow
def test_one_that_is_stopped_each_time_stops_itself(
    stopping: Path, gitexp: Gitexp, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOPS", "9")
    said = gitexp("step", "-m", "x").stdout
    assert "exp001 CRASH: x" in said
    assert "the run was stopped each of 3 times that it was made: it stops itself" in said
    assert "stopped: The run's processes were stopped (SIGSTOP) each time." in said
    assert runs.read_text() == "x\n" * 3
    assert git("log", "-1", "--format=%(trailers:key=Exp-Error,valueonly)", "HEAD^").strip() == "the run stops itself"
    assert len(ledger_of(stopping).iterations) == 2
    assert "in order" in gitexp("fsck").stdout


def test_one_that_is_spoiled_each_time_has_no_verdict(
    experiment: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InterferenceMonitor, "trouble", lambda self: "the machine slept for 60 s")
    set_lr(experiment, 0.2)
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "exp001 was spoiled 3 times (at last: the machine slept for 60 s): it has no verdict" in said
    assert "LR = 0.2" in (experiment / "train.py").read_text()
    assert len(ledger_of(experiment).iterations) == 1


def test_what_gitexp_computes_is_no_suspension(monkeypatch: pytest.MonkeyPatch) -> None:
    looking = InterferenceMonitor()
    looking.tick()
    later, busy = interference.time.monotonic() + 100, interference.time.process_time() + 98
    wall = interference.time.time() + 100
    monkeypatch.setattr(interference.time, "monotonic", lambda: later)
    monkeypatch.setattr(interference.time, "process_time", lambda: busy)
    monkeypatch.setattr(interference.time, "time", lambda: wall)
    looking.tick()
    assert looking.trouble() == ""


def test_the_contract_says_how_often(folder: Path, gitexp: Gitexp, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interference, "NOTICED", 0.4)
    monkeypatch.setenv("STOPS", "9")
    hook_that(folder, STOPPED)
    gitexp("init", "--retries", "0")
    assert ledger_of(folder).contract.retries == 0
    set_lr(folder, 0.2)
    assert "was spoiled 1 times" in gitexp("step", "-m", "x", code=1).stderr
    assert runs.read_text() == "x\n"


def test_sleep_shows_as_a_wall_clock_that_ran_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    looking = InterferenceMonitor()
    looking.tick()
    assert looking.trouble() == ""
    real = interference.time.time
    monkeypatch.setattr(interference.time, "time", lambda: real() + 3600)
    assert looking.trouble() == "the machine slept for 3600 s"


def test_a_gap_between_ticks_shows_that_gitexp_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    looking = InterferenceMonitor()
    looking.tick()
    real = interference.time.monotonic
    later = real() + 100
    wall = interference.time.time() + 100
    monkeypatch.setattr(interference.time, "monotonic", lambda: later)
    monkeypatch.setattr(interference.time, "time", lambda: wall)
    looking.tick()
    assert looking.trouble() == "gitexp was stopped for 100 s"


def test_what_others_use_is_not_what_the_run_uses() -> None:
    looking = InterferenceMonitor()
    burn = [sys.executable, "-c", "import time; t = time.time()\nwhile time.time() < t + 0.3: pass"]
    subprocess.run(burn, check=True)
    mine = looking.others()
    looking = InterferenceMonitor()
    stranger = subprocess.Popen(["sh", "-c", 'exec "$@"', "sh", *burn])
    interference.time.sleep(0.25)
    assert looking.others() > mine - 0.1
    stranger.wait()


@pytest.mark.parametrize(
    ("now", "usual", "before", "others", "loaded"),
    [
        (50.0, 100.0, None, 0.5, True),
        (50.0, 100.0, None, 0.1, False),  # nobody else was there: it is the candidate that is slow
        (80.0, 100.0, None, 0.5, False),  # not slow
        (50.0, 100.0, 52.0, 0.5, False),  # as slow as the time before: it is the candidate that is slow
        (50.0, 100.0, 20.0, 0.5, True),
        (None, 100.0, None, 0.5, False),
        (50.0, None, None, 0.5, False),
    ],
)
def test_when_a_machine_was_loaded(
    now: float | None, usual: float | None, before: float | None, others: float, loaded: bool
) -> None:
    assert is_loaded(now, usual, before, others) is loaded


def test_speed_from_what_runs_report() -> None:
    assert speed({"steps_per_second": 7.0, "steps": 100.0}, 10) == 7
    assert speed({"num_steps": 100.0}, 10) == 10
    assert speed({"steps": 100.0}, 1) is None
    assert speed({}, 10) is None


def test_a_slow_run_on_a_loaded_machine_is_made_again(
    folder: Path, gitexp: Gitexp, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InterferenceMonitor, "others", lambda self: 0.9)
    monkeypatch.setattr(interference, "LONG", 0.1)
    slow_once = '[ "$(wc -l < "$RUNS")" -eq 3 ] && steps=10\n'
    hook_that(folder, f'echo x >> "$RUNS"; steps=1000\n{slow_once}sleep 0.2; echo "steps: $steps"; echo val_bpb: 2\n')
    gitexp("init")
    set_lr(folder, 0.2)
    said = gitexp("step", "-m", "x").stderr
    assert "others used 90 % of the CPUs, and it ran at 1 % of the usual speed: no verdict." in said
    assert runs.read_text() == "x\n" * 4  # the baseline's two, and the candidate's


def test_on_macos_the_run_is_held_awake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "caffeinate"
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    keep_awake(4711)
    assert not (tmp_path / "asked").exists()
    monkeypatch.setattr(interference.sys, "platform", "darwin")
    keep_awake(4711)
    while not (tmp_path / "asked").exists() or not (tmp_path / "asked").read_text():
        interference.time.sleep(0.01)
    assert (tmp_path / "asked").read_text() == "-i -w 4711\n"


def test_a_file_saved_meanwhile_is_not_what_is_run_again(
    stopping: Path, gitexp: Gitexp, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOPS", "1")
    saving = STOPPED.replace("kill -STOP", "echo LR = 0.3 > train.py; kill -STOP")
    git("restore", "train.py")
    hook_that(stopping, saving)
    gitexp("init", "--name", "second", "--in-place")
    set_lr(stopping, 0.2)
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "train.py was changed before it could be run again; nothing was recorded" in said
    assert "the edit is kept as refs/gitexp/saved/" in said
    assert (stopping / "train.py").read_text() == "LR = 0.3\n"
    assert runs.read_text() == "x\n"
