"""Process control: run one command under a hard timeout, keep the end of what it says, leave nothing running."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

GRACE = 5.0  # seconds between TERM and KILL
LINGER = 0.5  # seconds to go on reading after the command has ended, while something else holds its output open
LOG_HEAD = 8 << 20  # bytes of output kept from the start …
LOG_TAIL = 1 << 20  # … and from the end
TAIL_LINES = 200
LINE_LIMIT = 10_000  # characters; a longer line is cut


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
    on_tick: Callable[[], None] = lambda: None,
) -> Execution:
    """Run ``command`` in its own session, without input, both outputs to ``log`` and, line by line, to ``on_line``.

    ``on_tick`` is called several times a second meanwhile.

    After ``timeout`` seconds the whole process group gets TERM, ``GRACE`` seconds later KILL. However this is left, by
    ^C too, nothing of the group is left running. Raises :class:`NotStarted` when the command cannot be started.
    """
    started = time.monotonic()
    guard = _Guard()
    try:
        process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        guard.dismiss()
        raise NotStarted(error.strerror) from error
    assert process.stdout
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    lines = _Lines(tail.append, on_line)
    try:
        guard.watch(process.pid)
        with process.stdout, _CappedLog(log) as kept:
            timed_out = False
            for chunk in _chunks(process, started + timeout):
                on_tick()
                if chunk is None:
                    timed_out = True
                elif chunk:
                    kept.write(chunk)
                    lines.feed(chunk)
            lines.end()
    finally:
        try:
            end_group(process)
        finally:
            guard.dismiss()
    return Execution(process.returncode, timed_out, time.monotonic() - started, tuple(tail))


def _chunks(process: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes | None]:
    """What the process prints, until it has ended; empty when it is silent for a moment.

    ``None`` stands for the moment it had to be told to end.
    """
    assert process.stdout
    fd = process.stdout.fileno()
    steps = iter(((signal.SIGTERM, GRACE), (signal.SIGKILL, LINGER)))
    ended: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            if selector.select(timeout=0.05):
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


def _wait(process: subprocess.Popen[bytes], deadline: float) -> Iterator[None]:
    """Wait for a process that has closed its output; past ``deadline`` say so once, and let the caller end it."""
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        yield None


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


class _Guard:
    """A process that ends the run's group should this one die without a chance to (kill -9): it waits on a pipe."""

    def __init__(self) -> None:
        read, self._write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _wait_for_the_end(read)
        os.close(read)

    def watch(self, group: int) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody killed the guard: the run needs it only in the worst case
            os.write(self._write, str(group).encode())

    def dismiss(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._write, b" done")
        os.close(self._write)
        os.waitpid(self._pid, 0)


def _wait_for_the_end(pipe: int) -> NoReturn:
    """In the guard: when the pipe closes on a bare number, that group has lost its parent."""
    try:
        os.setsid()  # ^C in the terminal is not for the guard
        os.closerange(0, pipe)  # among others its copies of the locks
        os.closerange(pipe + 1, min(os.sysconf("SC_OPEN_MAX"), 1 << 16))  # which may be 2**63 - 1
        heard = b""
        while chunk := os.read(pipe, 64):
            heard += chunk
        if heard.isdigit():
            os.killpg(int(heard), signal.SIGKILL)
    finally:
        os._exit(0)


class _Lines:
    """Bytes to lines: a carriage return ends one too (progress bars), and long ones are cut."""

    def __init__(self, *takers: Callable[[str], object]) -> None:
        self._takers = takers
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, chunk: bytes) -> None:
        text = self._rest + self._decoder.decode(chunk)
        *lines, rest = text.replace("\r", "\n").split("\n")
        self._rest = rest[:LINE_LIMIT]
        for line in lines:
            if line:
                self._take(line[:LINE_LIMIT])

    def end(self) -> None:
        rest = self._rest + self._decoder.decode(b"", final=True)
        if rest:
            self._take(rest)

    def _take(self, line: str) -> None:
        for taker in self._takers:
            taker(line)


class _CappedLog:
    """A log file that keeps the head and the tail of what is written, and says how much is missing between."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._room = LOG_HEAD
        self._tail = bytearray()
        self._dropped = 0

    def __enter__(self) -> _CappedLog:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self._path.open("wb", buffering=0)
        return self

    def write(self, chunk: bytes) -> None:
        head, rest = chunk[: self._room], chunk[self._room :]
        self._put(head)
        self._room -= len(head)
        self._tail += rest
        if len(self._tail) > 2 * LOG_TAIL:
            self._dropped += len(self._tail) - LOG_TAIL
            del self._tail[:-LOG_TAIL]

    def __exit__(self, *_: object) -> None:
        if self._dropped:
            self._put(b"\n[... %d bytes left out ...]\n" % self._dropped)
        self._put(bytes(self._tail))
        with contextlib.suppress(OSError):
            self._file.close()

    def _put(self, data: bytes) -> None:
        """A disk that is full costs the log its end, not the run its result."""
        with contextlib.suppress(OSError):
            self._file.write(data)
