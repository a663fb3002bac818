"""gitexp in a process of its own, and what becomes of other processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil


def start_step(folder: Path) -> subprocess.Popen[bytes]:
    """A step in a process of its own, once its run is under way."""
    command = [sys.executable, "-m", "gitexp", "step", "-m", "slow"]
    ignored = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # where the tests themselves run under nohup
    process = subprocess.Popen(command, cwd=folder)
    signal.signal(signal.SIGHUP, ignored)
    while not (folder / ".git/gitexp/train/running").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


def start_loop(folder: Path, *args: str, command: str = "loop") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gitexp", command, *args],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.01)


DAEMON = """
import os, sys, time
tell, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in (0, 1, 2):
            os.close(fd)
        open("pid", "w").write(str(os.getpid()))
        os.write(told, b".")
        {then}
    os._exit(0)
os.read(tell, 1)
"""


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
