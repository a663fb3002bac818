"""Processes that are timed, in milliseconds from their start to their end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .wheel import environment, programs


class MissingError(Exception):
    """A peer or a library is not on this machine, and cannot be had: the row says so, and the others go on."""


class FailedError(Exception):
    """What was measured failed: a bench of failures would be worth nothing."""


def run(
    words: Sequence[str | Path], folder: Path | None = None, settings: Mapping[str, str] | None = None
) -> tuple[float, str]:
    """Milliseconds, and standard output."""
    given = environment() | dict(settings or {})
    started = time.perf_counter()
    done = subprocess.run(words, cwd=folder, env=given, capture_output=True, check=False, text=True, errors="replace")
    took = 1000 * (time.perf_counter() - started)
    if done.returncode:
        raise FailedError(f"{' '.join(map(str, words))} in {folder}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return took, done.stdout


def python(code: str) -> float:
    return run([programs() / "python", "-c", code])[0]


def gitexp(*words: str, folder: Path | None = None) -> float:
    return run([programs() / "gitexp", *words], folder)[0]


def step(folder: Path) -> float:
    """``gitexp step`` on a new edit, as a process; a DISCARD, or it is not counted."""
    (folder / "train.py").write_text(f"LR = {time.time_ns()}\n")
    took, said = run([programs() / "gitexp", "step", "-m", "an idea"], folder)
    if " DISCARD " not in said:
        raise FailedError(f"This step was to be a DISCARD:\n{said}")
    return took


def completion() -> float:
    """What a shell waits for at ``gitexp st<TAB>``."""
    asked = {"_GITEXP_COMPLETE": "bash_complete", "COMP_WORDS": "gitexp st", "COMP_CWORD": "1"}
    took, said = run([programs() / "gitexp"], settings=asked)
    if "plain,status" not in said.split():
        raise FailedError(f"This was to complete to status:\n{said}")
    return took
