"""git's processes, started through GitPython's command driver: run to their end, or kept open and asked again.

GitPython's index, object and trailer APIs are not used: on 20,000 files its index is 50 times slower than git's and is
rewritten without git's caches, and its trailers start one process a commit.
"""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

# Without this, `import git` itself fails where there is no git; with it, the first command says so in our words.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git import Git
from git.exc import GitCommandNotFound

from gitexp.errors import GitexpError
from gitexp.git.packs import Packs
from gitexp.text import from_bytes, printable

Answer = TypeVar("Answer")


class GitCommandError(GitexpError):
    """git refused. Its own words are part of the sentence."""

    def __init__(self, args: tuple[str, ...], code: int, stderr: bytes) -> None:
        self.code = code
        words = printable(from_bytes(stderr)).strip() or (f"exit {code}" if code > 0 else f"killed by signal {-code}")
        while args[0] == "-c":
            args = args[2:]
        super().__init__(f"git {args[0]} failed: {words}")


def open_git(directory: Path) -> Git:
    driver = Git(str(directory))
    # File names are names, never patterns; and reading must not take locks that a person's own git then meets.
    driver.update_environment(GIT_LITERAL_PATHSPECS="1", GIT_OPTIONAL_LOCKS="0")
    return driver


def run(driver: Git, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
    """Run git; its standard output. Raises :class:`GitCommandError` unless it exits 0."""
    process = start(driver, *args, stdin=None if stdin is None else subprocess.PIPE, env=env)
    out, err = process.communicate(stdin)
    if process.returncode:
        raise GitCommandError(args, process.returncode, err)
    return out


def start(
    driver: Git,
    *args: str,
    stdin: int | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    try:
        guard = driver.execute(["git", *args], istream=stdin, as_process=True, env=env)
    except GitCommandNotFound:
        raise GitexpError("git is not installed, or not on PATH.", "git --version") from None
    # GitPython's guard ends the process when the guard is collected, and turns wait() into exceptions of its own.
    process, guard.proc = guard.proc, None
    assert process is not None
    return process


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """See that a process is gone in the end, whatever it still had to say."""
    try:
        yield
    finally:
        process.terminate()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):  # what it was not told any more
                pipe.close() if pipe else None
        process.wait()


class Batch:
    """A git process that answers one question after another: a write and a read each, not a process each.

    It may be killed at any time: the question is then put to a process of its own, which also says what git refuses.
    It is not kept beyond a change of the packs: it would go on to find objects in one that is removed, and not write
    them.
    """

    def __init__(self, driver: Git, packs: Packs, *args: str) -> None:
        self._driver, self._packs, self._args = driver, packs, args
        self._generation = 0  # of the packs, when it was started
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: bytes, read: Callable[[IO[bytes]], Answer]) -> Answer:
        """What ``read`` makes of the answer; it reads the whole of it, and raises ``EOFError`` when that is cut short.

        Raises :class:`GitCommandError` when git refuses.
        """
        try:
            stdin, stdout = self._pipes()
            stdin.write(question)
            stdin.flush()
            return read(stdout)
        except (BrokenPipeError, EOFError):
            self.close()
            return read(io.BytesIO(run(self._driver, *self._args, stdin=question)))
        except BaseException:  # an answer that was not read to its end would be taken for the next one's
            self.close()
            raise

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        now = self._packs.generation()
        if now != self._generation:
            self.close()
        if self._process is None:
            self._generation = now
            self._process = start(self._driver, *self._args, stdin=subprocess.PIPE)
            assert self._process.stderr
            self._process.stderr.close()  # unread it would fill up; so a complaint ends the process
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout

    def close(self) -> None:
        process, self._process = self._process, None
        if process:
            with ended(process):
                pass

    def __del__(self) -> None:
        self.close()


def line(stream: IO[bytes]) -> str:
    """The next line of an answer."""
    read = stream.readline()
    if not read.endswith(b"\n"):
        raise EOFError
    return os.fsdecode(read[:-1])


def block(stream: IO[bytes], size: int) -> bytes:
    """The next ``size`` bytes of an answer, and the line end after them."""
    read = stream.read(size + 1)
    if len(read) <= size:
        raise EOFError
    return read[:size]
