"""Process control: run one command under a hard timeout, keep the end of what it says, leave nothing running."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gitexp.run import processes
from gitexp.run.guardian import guarded
from gitexp.run.output import CappedLog, Lines
from gitexp.run.processes import MARK, Strays, end_group, signal_group

LINGER = 0.5  # seconds to go on reading after the command has ended, while something else holds its output open
TICK = 0.05  # seconds between two looks at a silent run
TAIL_LINES = 200
LATE = 1.0  # seconds after the last signal is due, from which on the guardian sends it
STDERR = 2


class NotStarted(Exception):  # noqa: N818  it says what happened
    """The command cannot be started; the operating system's reason."""


@dataclass(frozen=True, slots=True)
class Execution:
    exit_code: int  # as subprocess has it: negative for a signal
    timed_out: bool
    seconds: float
    tail: tuple[str, ...]  # the last lines it printed


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    log: Path,
    on_line: Callable[[str], None],
    on_start: Callable[[int, Strays], None] = lambda pid, leavings: None,
    on_tick: Callable[[], None] = lambda: None,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> Execution:
    """Run ``command`` in its own session, both outputs to ``log`` and, line by line, to ``on_line``.

    ``on_start`` is given its pid, and what ends the processes it leaves behind; ``on_tick`` is called several times a
    second while it runs.

    After ``timeout`` seconds the whole process group gets TERM, ``GRACE`` seconds later KILL. However this is left, by
    ^C too, nothing of the group is left running, nor (on Linux, or where ``env`` has a ``MARK``) what fled to another
    session. Raises :class:`NotStarted` when the command cannot be started.
    """
    started = time.monotonic()
    mark = env.get(MARK, "")
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    lines = Lines(tail.append, on_line)
    timed_out = False
    with ExitStack() as ending:
        watch = ending.enter_context(guarded(mark))
        leavings = Strays(mark)
        ending.callback(leavings.end)
        process = _start(command, cwd, env, stdin=stdin)
        assert process.stdout
        ending.callback(end_group, process)
        ending.enter_context(process.stdout)
        late = started + timeout + processes.GRACE + LATE
        watch(process.pid, late)
        on_start(process.pid, leavings)
        kept = ending.enter_context(CappedLog(log))
        for chunk in _chunks(process, started + timeout):
            on_tick()
            if chunk is None:
                timed_out = True
            elif chunk:
                kept.write(chunk)
                lines.feed(chunk)
        lines.end()
    timed_out = timed_out or (process.returncode == -signal.SIGKILL and time.monotonic() > late)  # by the guardian
    return Execution(process.returncode, timed_out, time.monotonic() - started, tuple(tail))


def attend(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run ``command`` to its end in its own session, what it prints to standard error; its exit code.

    Nothing of it is left running, as with :func:`run`. Raises :class:`NotStarted` when it cannot be started.
    """
    mark = env.get(MARK, "")
    with ExitStack() as ending:
        watch = ending.enter_context(guarded(mark))
        ending.callback(Strays(mark).end)
        process = _start(command, cwd, env, STDERR)
        ending.callback(end_group, process)
        watch(process.pid, 0.0)
        return process.wait()


def _start(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    output: int = subprocess.PIPE,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command),
            cwd=cwd,
            env=dict(env),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise NotStarted(error.strerror) from error


def _chunks(process: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes | None]:
    """What the process prints, until it has ended; empty when it is silent for a moment.

    ``None`` stands for the moment it had to be told to end.
    """
    assert process.stdout
    fd = process.stdout.fileno()
    steps = iter(((signal.SIGTERM, processes.GRACE), (signal.SIGKILL, LINGER)))
    ended: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            if selector.select(timeout=TICK):
                chunk = os.read(fd, 1 << 16)
                if not chunk:
                    selector.unregister(fd)
                    yield from _wait(process, deadline)
                    return
                yield chunk
            else:
                yield b""
            now = time.monotonic()
            if process.poll() is not None:
                ended = ended or now
                if now >= ended + LINGER:
                    return
            elif now >= deadline:
                step = next(steps, None)
                if step is None:
                    return
                if step[0] is signal.SIGTERM:
                    yield None
                signal_group(process.pid, step[0])
                deadline = now + step[1]


def _wait(process: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes | None]:
    """Wait for a process that has closed its output; past ``deadline`` say so once, and let the caller end it."""
    while process.poll() is None:
        if time.monotonic() >= deadline:
            yield None
            return
        yield b""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TICK)
