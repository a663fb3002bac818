"""How a command is struck while it runs: which process is killed, and at what moment."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.soak.command_line import Running

SOONEST = 0.005  # seconds after the start
EAGER = 0.05  # seconds of looking for a lock, before the caller looks whether the command has ended
WATCHED = 1.2  # seconds after the blow, when a person ends what would watch for ever


def _group(running: Running) -> bool:
    os.killpg(running.pid, signal.SIGKILL)
    return True


def _alone(running: Running) -> bool:
    os.kill(running.pid, signal.SIGKILL)
    return True


def _at_a_lock(running: Running) -> bool:
    """While a ref or the index is locked: that is short, so it is looked for all the time."""
    git_dir = running.output_file.parent / "repository" / ".git"
    until = time.monotonic() + EAGER
    while not any(os.path.exists(git_dir / name) for name in ("index.lock", "HEAD.lock", "packed-refs.lock")):
        if _ref_is_locked(git_dir / "refs"):
            break
        if time.monotonic() > until:
            return False
    return _group(running)


def _ref_is_locked(folder: Path) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(e.name.endswith(".lock") or (e.is_dir() and _ref_is_locked(Path(e.path))) for e in entries)
    return False


def _with_guardian(running: Running) -> bool:
    for child in _children(running):
        if _is(child, running, name="python", own_group=True):
            _kill(child)
    return _alone(running)


def _git_child(running: Running) -> bool:
    gits = [child for child in _children(running) if _is(child, running, name="git")]
    return bool(gits) and _kill(random.choice(gits))


def _hook(running: Running) -> bool:
    leaders = [child for child in _children(running) if _session(child) == child.pid != running.pid]
    for child in leaders:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
            return True
    return False


def _interrupt(number: signal.Signals) -> Callable[[Running], bool]:
    def strike(running: Running) -> bool:
        os.kill(running.pid, number)
        return True

    return strike


@dataclass(frozen=True)
class Kind:
    """A way to strike. ``strike`` says whether there was something to strike; if not, it is called again."""

    name: str
    weight: int
    strike: Callable[[Running], bool]
    is_kill: bool = True
    is_deadly: bool = True  # gitexp itself dies without a chance to clear up


KINDS = (
    Kind("gitexp and its group", 30, _group),
    Kind("gitexp alone", 20, _alone),
    Kind("gitexp and its guardian", 10, _with_guardian),
    Kind("all, while git has a lock", 12, _at_a_lock),
    Kind("a git process", 25, _git_child, is_deadly=False),
    Kind("the hook or the proposer", 8, _hook, is_deadly=False),
    Kind("interrupt", 3, _interrupt(signal.SIGINT), is_kill=False, is_deadly=False),
    Kind("terminate", 2, _interrupt(signal.SIGTERM), is_kill=False, is_deadly=False),
    Kind("hang up", 2, _interrupt(signal.SIGHUP), is_kill=False, is_deadly=False),
)


def choose(chance: random.Random) -> Kind:
    return chance.choices(KINDS, [kind.weight for kind in KINDS])[0]


def moment(chance: random.Random, usual: float) -> float:
    """Seconds after the start, drawn log-uniformly: as many kills in the first hundredth as in the next."""
    return math.exp(chance.uniform(math.log(SOONEST), math.log(max(usual, 2 * SOONEST))))


def strike(running: Running, kind: Kind | None, after: float, beside: Callable[[float], None]) -> bool:
    """Wait for ``running``, and strike it ``after`` so many seconds; whether it was struck.

    ``beside`` is called again and again meanwhile, with the seconds since the start.
    """
    struck = False
    while not running.has_ended():
        now = time.monotonic() - running.began
        beside(now)
        if kind and not struck and now >= after:
            with contextlib.suppress(ProcessLookupError):
                struck = kind.strike(running)
        if "--watch" in running.words and now > after + WATCHED:
            os.kill(running.pid, signal.SIGINT)
            running.wait()
        time.sleep(0.002)
    return struck


def _children(running: Running) -> list[psutil.Process]:
    try:
        return psutil.Process(running.pid).children(recursive=True)
    except psutil.Error:
        return []


def _is(process: psutil.Process, running: Running, name: str, own_group: bool = False) -> bool:
    try:
        same_group = os.getpgid(process.pid) == running.pid
        return process.name().startswith(name) and _session(process) == running.pid and same_group is not own_group
    except (psutil.Error, OSError):
        return False


def _session(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except OSError:
        return 0


def _kill(process: psutil.Process) -> bool:
    try:
        process.kill()
    except psutil.Error:
        return False
    return True
