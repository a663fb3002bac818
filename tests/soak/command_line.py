"""gitexp's command line in a process that is forked off: no start of Python, so each kill strikes the command."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import click

from gitexp.cli import COMMANDS, cli, main

LONGEST = 60.0  # seconds after which a command is said to hang


def import_all() -> None:
    """Import every command once: each process that is forked off has them all."""
    for name in COMMANDS:
        cli.get_command(click.Context(cli), name)
    gc.freeze()


@dataclass
class Running:
    """A command of gitexp that runs in a session of its own; its id is the process's."""

    words: tuple[str, ...]
    pid: int
    output_file: Path
    began: float = field(default_factory=time.monotonic)
    code: int | None = None  # as subprocess has it: negative for a signal; None while it runs
    seconds: float = 0.0  # that it ran

    def has_ended(self) -> bool:
        """Whether it has; a command that hangs is ended, by a signal that nothing else sends."""
        if self.code is None:
            if time.monotonic() > self.began + LONGEST:
                os.killpg(self.pid, signal.SIGABRT)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code, self.seconds = os.waitstatus_to_exitcode(status), time.monotonic() - self.began
        return self.code is not None

    def wait(self) -> None:
        while not self.has_ended():
            time.sleep(0.002)

    @property
    def output(self) -> str:
        return self.output_file.read_text(errors="replace")


def start(words: tuple[str, ...], directory: Path, environment: dict[str, str], output: Path) -> Running:
    """Start ``gitexp WORDS`` in ``directory``; what it prints goes to ``output``."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _be_gitexp(words, directory, environment, output)
    return Running(words, pid, output)


def _be_gitexp(words: tuple[str, ...], directory: Path, environment: dict[str, str], output: Path) -> None:
    code = 99
    try:
        os.setsid()
        os.chdir(directory)
        os.environ.update(environment)
        # Else Python makes a file of eight letters to try the folder, and a kill in that moment leaves it.
        tempfile.tempdir = environment["TMPDIR"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # what a shell starts with & ignores ^C
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _redirect(output)
        sys.argv = ["gitexp", *words]
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
        os._exit(code)


def _redirect(output: Path) -> None:
    out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
