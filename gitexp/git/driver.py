"""git's processes, started through GitPython's command driver: run to their end, or kept open and asked again.

GitPython's index, object and trailer APIs are not used: on 20,000 files its index is 50 times slower than git's and is
rewritten without git's caches, and its trailers start one process a commit.
"""

from __future__ import annotations

import io
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

# Without this, `import git` itself fails where there is no git; with it, the first command says so in our words.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git import Git
from git.exc import GitCommandNotFound

from gitexp.errors import GitexpError
from gitexp.files import stat_signature
from gitexp.text import from_bytes, printable

Answer = TypeVar("Answer")

# Options of git diff and its like: neither the user's configuration nor an attributes file changes what is printed.
UNFILTERED = ("--no-ext-diff", "--no-textconv")  # and no command that they name is run
PLAIN_DIFF = (*UNFILTERED, "--no-renames", "--no-color")
# The same of git log and git show, whose text is UTF-8 then.
PLAIN_LOG = ("--no-show-signature", "--no-color", "--encoding=UTF-8")
# What every git command is told before its name, so that what gitexp reads of git is the same whatever the user and the
# repository set. Each is git's default, except that there is no color. The pinned path quoting, context and heuristic
# are part of patch ids, which are sealed. diff.external has no value that turns it off: see UNFILTERED.
_DEFAULTS = {
    "color.diff": "false",
    "color.ui": "false",
    "core.abbrev": "auto",
    "core.quotePath": "true",
    "diff.algorithm": "default",
    "diff.context": "3",
    "diff.indentHeuristic": "true",
    "diff.interHunkContext": "0",
    "diff.mnemonicPrefix": "false",
    "diff.noprefix": "false",
    "diff.orderFile": "/dev/null",
    "diff.relative": "false",
    "diff.renames": "true",
    "diff.submodule": "short",
    "diff.suppressBlankEmpty": "false",
    "format.pretty": "medium",
    "i18n.logOutputEncoding": "UTF-8",
    "log.abbrevCommit": "false",
    "log.date": "default",
    "log.decorate": "false",
    "log.diffMerges": "separate",
    "log.showSignature": "false",
}
PLAIN = tuple(word for key, value in _DEFAULTS.items() for word in ("-c", f"{key}={value}"))
NO_HOOKS = ("-c", "core.hooksPath=/dev/null")  # before a command's name: the user's hooks are for the user's commits

_TIME_STEP = 0.1  # seconds after which a change of a folder shows in its time, whatever the file system's clock


class GitCommandError(GitexpError):
    """A git command failed with the exit code ``code`` (negative for a signal); its sentence ends in git's words."""

    def __init__(self, args: tuple[str, ...], code: int, stderr: bytes) -> None:
        self.code = code
        words = printable(from_bytes(stderr)).strip() or (f"exit {code}" if code > 0 else f"killed by signal {-code}")
        while args[0] == "-c":
            args = args[2:]
        super().__init__(f"git {args[0]} failed: {words}")


def open_git(directory: Path) -> Git:
    """A driver of git commands that run in ``directory``."""
    driver = Git(str(directory))
    # File names are names, never patterns; and reading must not take locks that a person's own git then meets.
    driver.update_environment(GIT_LITERAL_PATHSPECS="1", GIT_OPTIONAL_LOCKS="0")
    return driver


def run(driver: Git, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
    """Run git to its end; returns its standard output. Raises :class:`GitCommandError` unless it exits with 0."""
    process = start(driver, *args, stdin=None if stdin is None else subprocess.PIPE, env=env)
    with ending(process):
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
    """Start git, its standard output and error as pipes. Raises :class:`GitexpError` where git is not installed."""
    try:
        guard = driver.execute(["git", *PLAIN, *args], istream=stdin, as_process=True, env=env)
    except GitCommandNotFound:
        raise GitexpError("git is not installed, or not on PATH.", "git --version") from None
    # GitPython's guard ends the process when the guard is collected, and turns wait() into exceptions of its own.
    process, guard.proc = guard.proc, None
    assert process is not None
    return process


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End ``process`` when the block is left, even if its output was not read to the end."""
    try:
        yield
    finally:
        process.terminate()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):  # bytes that the process did not read any more
                pipe.close() if pipe else None
        process.wait()


class PackFolder:
    """``objects/pack``, watched for changes.

    A long-lived git process keeps deleted packs open and still finds objects that the repository no longer has.
    """

    def __init__(self, common_dir: Path) -> None:
        self._folder = str(common_dir / "objects" / "pack")
        self._signature: tuple[int, ...] | None = None
        self._generation = 0

    def generation(self) -> int:
        """A number that is another one whenever the folder changed, or may have, since the last call."""
        signature = stat_signature(self._folder)
        if signature != self._signature:
            recent = signature is not None and time.time_ns() - signature[2] < _TIME_STEP * 1e9
            self._signature = None if recent else signature
            self._generation += 1
        return self._generation


class Batch:
    """A git process that answers one question after another: a write and a read each, not a process each.

    It may be killed at any time: the question is then put to a process of its own, which also says what git refuses.
    After a change of the packs a new process is started: the old one would find objects in a pack that was removed, and
    not write them again.
    """

    def __init__(self, driver: Git, packs: PackFolder, *args: str) -> None:
        self._driver, self._packs, self._args = driver, packs, args
        self._generation = 0  # of the packs, when the process was started
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: bytes, read: Callable[[IO[bytes]], Answer]) -> Answer:
        """Write ``question``, and return what ``read`` makes of the answer.

        ``read`` must consume the whole answer, and raise ``EOFError`` when it is cut short. Raises
        :class:`GitCommandError` when git refuses.
        """
        try:
            stdin, stdout = self._pipes()
            stdin.write(question)
            stdin.flush()
            return read(stdout)
        except (BrokenPipeError, EOFError):
            self.close()
            return read(io.BytesIO(run(self._driver, *self._args, stdin=question)))
        except BaseException:  # the rest of an answer that was not read to its end would be taken for the next answer
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
            self._process.stderr.close()  # nobody reads it: it would fill up. So a complaint ends the process
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout

    def close(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process:
            with ending(process):
                pass

    def __del__(self) -> None:
        self.close()


def read_line(stream: IO[bytes]) -> str:
    """The next line of an answer, without its line end. Raises ``EOFError`` when it is cut short."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return os.fsdecode(line[:-1])


def read_block(stream: IO[bytes], size: int) -> bytes:
    """The next ``size`` bytes of an answer, consumed with the line end after them. Raises ``EOFError`` as above."""
    data = stream.read(size + 1)
    if len(data) <= size:
        raise EOFError
    return data[:size]
