"""The processes of a run: marked, found again and ended, so that none outlives it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator

import psutil

GRACE = 5.0  # seconds between TERM and KILL
MARK = "GITEXP_RUN"  # the environment variable that tells the processes of a run, wherever they went; its value: which
_ROUNDS = 20  # of looking for what is left: a process may start another before it is gone
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None)


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
        for process in _processes(psutil.pids())
        if process.pid != os.getpid()
        and not _is_dead(process)
        and (_is_marked(process, run) or (alive and _session(process.pid) == leader))
    ]
    _end(found)
    return [p.pid for p in found]


def _processes(pids: Iterable[int]) -> Iterator[psutil.Process]:
    """Those of ``pids`` that are there. (psutil.process_iter() keeps what it once saw, and a pid may be used again.)"""
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            yield psutil.Process(pid)


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
    try:
        return os.getsid(pid)
    except OSError:
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


class Strays:
    """What a run leaves behind in sessions of its own (daemons). Made before the run starts, ended after it.

    On Linux this process adopts what its descendants leave; elsewhere they are found by the run's mark. What is in this
    process's own session is never a run's, since nothing can join a session. So what gitexp starts for itself, and
    keeps, is left alone as long as it is not given a session of its own.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._adopts = _adopt_orphans(True)
        self._before = set(_fled()) if self._adopts else set()

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
        if not self._adopts:
            orphans = (p for p in _processes(_elsewhere()) if not leader or _parent(p) == 1)
            return [p for p in orphans if self._run and _is_marked(p, self._run)]
        left = list(_processes(set(_fled()) - self._before - {leader}))
        for process in list(left):
            with contextlib.suppress(psutil.Error):
                left += process.children(recursive=True)
        return left


def _elsewhere() -> list[int]:
    """The processes in other sessions than this one's."""
    here = os.getsid(0)
    return [pid for pid in psutil.pids() if _session(pid) not in (0, here)]


def _fled() -> list[int]:
    """The children of this process that are in other sessions. Only Linux is asked.

    To tell a parent, psutil reads a file of /proc for each process of the machine: ten times slower.
    """
    return list(filter(_is_child, _elsewhere()))


def _is_child(pid: int) -> bool:
    """Whether it is a child of this process, running or dead; it is left as it is."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _adopt_orphans(adopt: bool) -> bool:
    """Whether orphaned descendants become children of this process from now on; only Linux knows how."""
    if sys.platform != "linux":
        return False
    done: int = _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)
    return done == 0
