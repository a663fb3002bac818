"""What ends a run whose gitexp died without a chance to (kill -9): a process beside it, which hears what is running."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from gitexp.run.processes import end_run, signal_group


@contextmanager
def guarded(run: str) -> Iterator[Callable[[int, float], object]]:
    """End what has the mark ``run``, should this process die without a chance to (kill -9), or be late.

    The body says which process group leads the run, and at which second of the monotonic clock it must be over: past
    that the guardian ends it, however busy this process is with reading what the run prints.
    """
    guardian = _guardian_of_this_process(run)
    try:
        yield lambda group, deadline: guardian.tell(run, group, deadline)
    finally:
        guardian.tell("")


class Guardian:
    """A process that outlives this one for a moment: it waits on a pipe, and ends the run of which it heard last.

    One serves all the runs of this process: a fork for each would take longer than a short hook.
    """

    def __init__(self) -> None:
        read, self._write = os.pipe()
        # The guardian keeps them blocked: ^C and TERM are for this process, and must not be raised here by its twin.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _wait_for_the_end(read)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(read)

    def tell(self, run: str, group: int = 0, deadline: float = 0.0) -> bool:
        """What is running from now on, if anything; whether the guardian is there to hear it."""
        try:
            os.write(self._write, f"{group} {deadline} {run}\n".encode())
        except BrokenPipeError:  # somebody killed the guardian: a run needs it only in the worst case
            return False
        return True

    def dismiss(self) -> None:
        """It ends at the end of its pipe."""
        os.close(self._write)
        os.waitpid(self.pid, 0)


_guardians: dict[int, Guardian] = {}  # by the process that each guards: one that was forked off needs its own


def _guardian_of_this_process(run: str) -> Guardian:
    """The guardian, told of ``run``; a new one where there is none, or it was killed."""
    me = os.getpid()
    guardian = _guardians.get(me)
    if guardian and guardian.tell(run):
        return guardian
    if guardian:
        guardian.dismiss()
    guardian = _guardians[me] = Guardian()
    guardian.tell(run)
    return guardian


def _wait_for_the_end(pipe: int) -> NoReturn:
    """In the guardian: when the pipe closes while there is a run, that has lost its parent."""
    try:
        os.setpgid(0, 0)  # not to be killed with this process's group; with its own session it were a run's leaving
        os.chdir("/")  # and it is in nobody's way
        os.closerange(0, pipe)  # among others its copies of the locks
        os.closerange(pipe + 1, min(os.sysconf("SC_OPEN_MAX"), 1 << 16))  # which may be 2**63 - 1
        heard = b"0 0 \n"
        while chunk := _read(pipe, heard):
            heard = (heard + chunk).splitlines(keepends=True)[-1]
        _end(heard)
    finally:
        os._exit(0)


def _read(pipe: int, heard: bytes) -> bytes:
    """What this process is told next; the run that it heard of last is ended meanwhile, if its time is over."""
    _, deadline, _ = _told(heard)
    if deadline and not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        _end(heard)
    return os.read(pipe, 1 << 16)


def _end(heard: bytes) -> None:
    group, _, run = _told(heard)
    if group:
        signal_group(group, signal.SIGKILL)
    if run:
        end_run(run)


def _told(heard: bytes) -> tuple[int, float, str]:
    """The process group, the deadline and the mark in the last whole line that was heard; zeros for none."""
    if not heard.endswith(b"\n"):
        return 0, 0.0, ""
    group, deadline, run = heard.decode().rstrip("\n").split(" ", 2)
    return int(group), float(deadline), run
