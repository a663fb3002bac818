"""The processes of a run: marked, guarded, found again and ended, so that none outlives it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import NoReturn

import psutil

GRACE = 5.0  # seconds between TERM and KILL
MARK = "GITEXP_RUN"  # the environment variable that tells the processes of a run, wherever they went; its value: which
_ROUNDS = 20  # of looking for what is left: a process may start another before it is gone
_PR_SET_CHILD_SUBREAPER = 36


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the process's group: TERM and a grace if its leader still lives, then KILL."""
    try:
        if process.poll() is None:
            signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
    finally:  # a second ^C cuts the grace short, and no more than that
        signal_group(process.pid, signal.SIGKILL)
        process.wait()


def signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def start_time(pid: int) -> float:
    """When a process started, in seconds since the epoch: with its pid that names it for good. 0 when it is gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def end_run(run: str, leader: int = 0, started: float = 0.0) -> list[int]:
    """End the processes of a run that lost its gitexp; their pids.

    They are known by their mark, and by the session of ``leader`` if that process still is the one that ``started``.
    """
    alive = bool(leader and started) and abs(start_time(leader) - started) < 1
    found = [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid()
        and not _is_dead(process)
        and (_is_marked(process, run) or (alive and _session(process.pid) == leader))
    ]
    _end(found)
    return [p.pid for p in found]


def _is_marked(process: psutil.Process, run: str) -> bool:
    try:
        return process.environ().get(MARK) == run
    except (psutil.Error, OSError):  # another user's, or gone
        return False


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _session(pid: int) -> int:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return 0


def _end(processes: Iterable[psutil.Process]) -> None:
    """Kill, and wait until they are dead: where nobody reaps them they stay as zombies, which is dead enough."""
    left = list(processes)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    until = time.monotonic() + 1
    while not all(map(_is_dead, left)) and time.monotonic() < until:
        time.sleep(0.002)
    for process in left:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def _is_dead(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


class Leavings:
    """What a run leaves behind in sessions of its own (daemons). Made before the run starts, ended after it.

    On Linux this process adopts what its descendants leave; elsewhere they are found by the run's mark.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._before = set(psutil.Process().children())
        self._adopts = _adopt_orphans(True)

    def end(self) -> None:
        self.end_all_but(0)
        _adopt_orphans(False)

    def end_all_but(self, leader: int) -> None:
        """End what has lost its parent, while the run's leader and its own children go on."""
        for _ in range(_ROUNDS):
            left = self._left(leader)
            if not left:
                break
            _end(left)

    def _left(self, leader: int) -> list[psutil.Process]:
        mine = psutil.Process().children()
        new = [child for child in mine if child not in self._before and child.pid != leader]
        for child in list(new):
            with contextlib.suppress(psutil.Error):
                new += child.children(recursive=True)
        if not self._adopts and self._run:
            orphans = (p for p in psutil.process_iter() if not leader or _parent(p) == 1)
            new += [p for p in orphans if _is_marked(p, self._run)]
        return new


def _adopt_orphans(adopt: bool) -> bool:
    """Whether orphaned descendants become children of this process from now on; only Linux knows how."""
    if sys.platform != "linux":
        return False
    done: int = ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)
    return done == 0


class Guard:
    """A process that ends the run should this one die without a chance to (kill -9): it waits on a pipe."""

    def __init__(self, run: str) -> None:
        read, self._write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _wait_for_the_end(read, run)
        os.close(read)

    def watch(self, group: int) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody killed the guard: the run needs it only in the worst case
            os.write(self._write, str(group).encode())

    def dismiss(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._write, b" done")
        os.close(self._write)
        os.waitpid(self._pid, 0)


def _wait_for_the_end(pipe: int, run: str) -> NoReturn:
    """In the guard: when the pipe closes before the word "done", the run has lost its parent."""
    try:
        os.setsid()  # ^C in the terminal is not for the guard
        os.closerange(0, pipe)  # among others its copies of the locks
        os.closerange(pipe + 1, min(os.sysconf("SC_OPEN_MAX"), 1 << 16))  # which may be 2**63 - 1
        heard = b""
        while chunk := os.read(pipe, 64):
            heard += chunk
        if not heard.endswith(b"done"):
            if heard.isdigit():
                os.killpg(int(heard), signal.SIGKILL)
            if run:
                end_run(run)
    finally:
        os._exit(0)
