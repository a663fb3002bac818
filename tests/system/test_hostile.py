"""Hostile trainers, each a real script run by a real ``gitexp step``: what came of it, and that no process is left.

``python -m pytest tests/system/test_hostile.py -s`` prints the table.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import set_lr

GRACE = 5.0
TIMEOUT = 1.0
SLACK = 20.0  # seconds: only a test that fails takes so long
FORK = "import os, signal, sys, time\n"
DEAF = "[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]\n"
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {then}
        time.sleep(60)
    os._exit(0)
"""
SCORE = "print('val_bpb: 1.5', flush=True)\n"
SCRUB = "os.execve(sys.executable, ['python', '-c', 'import time; time.sleep(60)'], {})"

TRAINERS = {
    "ignores TERM, INT and HUP": (FORK + DEAF + "time.sleep(60)", "CRASH", "timeout"),
    "ten children that ignore TERM": (
        FORK + DEAF + "[os.fork() or time.sleep(60) for _ in range(10)]\ntime.sleep(60)",
        "CRASH",
        "timeout",
    ),
    "leaves a daemon in a session of its own": (FORK + DAEMON.format(then="pass") + SCORE, "KEEP", "better"),
    "leaves a daemon without its environment": (FORK + DAEMON.format(then=SCRUB) + SCORE, "KEEP", "better"),
    "leaves a deaf daemon, and hangs": (
        FORK + DAEMON.format(then=DEAF.strip()) + DEAF + "time.sleep(60)",
        "CRASH",
        "timeout",
    ),
    "closes its output and hangs": (FORK + "os.close(1); os.close(2); time.sleep(60)", "CRASH", "timeout"),
    "dies, its output held open": (FORK + SCORE + "os.fork() or time.sleep(60)\nos._exit(0)", "KEEP", "better"),
    "prints without end": (FORK + "while True: os.write(1, b'loss: 1.0\\n' * 6000)", "CRASH", "timeout"),
    "prints a line of 64 MB": (FORK + SCORE + "[os.write(1, b'x' * 65536) for _ in range(1024)]", "KEEP", "better"),
    "prints terminal controls and no text": (
        FORK + "os.write(1, bytes(range(256)) * 100 + b'\\x1b[2J\\x1b]0;x\\x07\\n')\n" + SCORE,
        "KEEP",
        "better",
    ),
    "kills its hook": (FORK + "os.kill(os.getppid(), 9)\ntime.sleep(60)", "CRASH", "killed by SIGKILL"),
    "ends its whole group": (FORK + SCORE + "os.killpg(0, 9)", "CRASH", "killed by SIGKILL"),
    "stops itself for good": (FORK + "os.kill(os.getpid(), signal.SIGSTOP)", None, "was spoiled 1 times"),
    "terminates gitexp": (FORK + "os.kill(int(os.environ['GITEXP_PID']), 15)\ntime.sleep(60)", None, "Interrupted"),
    "kills gitexp": (FORK + "os.kill(int(os.environ['GITEXP_PID']), 9)\ntime.sleep(60)", None, ""),
}
# The trainer learns the pid of gitexp, which is its hook's parent.
HOOK = 'export GITEXP_PID=$PPID\ngrep -q 0.2 train.py || { echo val_bpb: 2; exit 0; }\n"$PYTHON" -c "$TRAINER"\n'


def left_in(folder: Path) -> list[str]:
    """Processes that work in the folder, or in a clean tree. A git that gitexp kept ends a moment after it."""
    found, trees = [], Path(os.environ["HOME"]).resolve() / ".cache/gitexp/trees"
    for process in psutil.process_iter():
        try:
            works_there = Path(process.cwd()) == folder or trees in Path(process.cwd()).parents
            is_ours = process.pid == os.getpid() or process.name() == "git"
            if works_there and not is_ours and process.status() != "zombie":
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINERS)
def test_hostile_trainers(folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    trainer, verdict, words = TRAINERS[name]
    monkeypatch.setenv("TRAINER", trainer)
    monkeypatch.setenv("PYTHON", sys.executable)
    hook_that(folder, HOOK)
    gitexp("init", "--budget", "1", "--timeout", str(TIMEOUT), "--retries", "0")
    set_lr(folder, 0.2)
    started = time.monotonic()
    command = [sys.executable, "-m", "gitexp", "step", "-m", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.monotonic() - started
    until = time.monotonic() + SLACK
    while (left := left_in(folder)) and verdict is None and time.monotonic() < until:
        time.sleep(0.01)  # the guard is at it
    assert left == []
    assert took < TIMEOUT + GRACE + SLACK
    assert "Traceback" not in done.stderr
    assert words in done.stdout + done.stderr
    ledger = ledger_of(folder)
    assert [i.status.value for i in ledger.iterations[1:]] == ([verdict] if verdict else [])
    if verdict is None:
        gitexp("recover")
        assert "LR = 0.2" in (folder / "train.py").read_text()
    (log,) = (folder / ".git/gitexp/train/logs").glob("exp001-*.log")
    assert log.stat().st_size < 10 << 20
    what = ledger.iterations[-1].reason if verdict else "handed back"
    print(f"\n{name:<42} {verdict or '':<6} {what:<45} {took:5.1f} s  log {log.stat().st_size:>9,} bytes")
