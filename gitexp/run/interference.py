"""Whether a run was spoiled from outside: the machine slept, the run was stopped, or others took its CPUs."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping

import psutil

STOPPED = "the run was stopped"
NOTICED = 1.0  # seconds of being stopped that spoil a run; shorter ones are within the noise
ASLEEP = 5.0  # seconds by which the wall clock may run away from the monotonic one: less is a clock being set
GAP = 5.0  # seconds between two ticks, after which this process itself must have been stopped
LOOK = 0.25  # seconds between two looks at the run's processes
SLOW = 0.7  # share of the usual speed, below which a run is suspected of having been short of CPU
OTHERS = 0.2  # share of the machine's CPUs that others used, from which on they may be the cause
LONG = 5.0  # seconds from which on a run's speed is that of its steps, and not of its start
SAME = 0.25  # two runs whose speeds differ by less than this share: then the slowness is the candidate's own


def keep_awake(pid: int) -> None:
    """On macOS: no sleep as long as ``pid`` lives. The helper is a child of this process and ends with the run."""
    if sys.platform == "darwin" and (caffeinate := shutil.which("caffeinate")):
        subprocess.Popen([caffeinate, "-i", "-w", str(pid)])


class InterferenceMonitor:
    """Looks on while a run goes on: ``start`` it with the run's pid, ``tick`` it several times a second."""

    def __init__(self) -> None:
        self._run: list[psutil.Process] = []
        self._stopped = self._gap = 0.0
        self._computed = time.process_time()
        self._wall, self._mono = time.time(), time.monotonic()
        self._busy, self._own = _busy_seconds(), _own_seconds()
        self._ticked = self._looked = self._listed = self._mono
        self._pid = 0

    def start(self, pid: int) -> None:
        self._pid = pid

    def tick(self) -> None:
        now, computed = time.monotonic(), time.process_time()
        asleep = (now - self._ticked) - (computed - self._computed)  # what gitexp computed meanwhile is no suspension
        if asleep > GAP:
            self._gap += asleep
        self._ticked, self._computed = now, computed
        if now - self._looked >= LOOK:
            if now - self._listed >= min(10.0, now - self._mono) / 2 or not self._run:  # less and less often
                self._run, self._listed = _family(self._pid), now
            if any(map(_is_stopped, self._run)):
                self._stopped += min(now - self._looked, GAP)
            self._looked = now

    def trouble(self) -> str:
        """What spoiled the run, whatever it measured; empty when nothing did."""
        asleep = (time.time() - self._wall) - (time.monotonic() - self._mono)
        if asleep > ASLEEP:
            return f"the machine slept for {asleep:.0f} s"
        if self._gap:
            return f"gitexp was stopped for {self._gap:.0f} s"
        if self._stopped >= NOTICED:
            return f"{STOPPED} for {self._stopped:.0f} s"
        return ""

    def others(self) -> float:
        """The share of the machine's CPUs that processes of others used since the start: 0 to 1."""
        wall = time.monotonic() - self._mono
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return max(0.0, others / (wall * (os.cpu_count() or 1))) if wall else 0.0


def speed(metrics: Mapping[str, float], seconds: float) -> float | None:
    """Steps a second, or tokens a second where the run reported only those; ``None`` for a run too short to tell.

    So it may be compared with other runs of the same script, which report the same, and is never shown or sealed.
    """
    if seconds < LONG:
        return None
    for name in ("steps_per_second", "tokens_per_second"):
        if metrics.get(name, 0) > 0:
            return metrics[name]
    steps = metrics.get("steps") or metrics.get("num_steps") or 0
    return steps / seconds if steps > 0 else None


def is_loaded(now: float | None, usual: float | None, before: float | None, others: float) -> bool:
    """Whether a run was short of CPU: slower than the incumbent beside busy others, and not so slow the time before."""
    if now is None or usual is None or now >= SLOW * usual or others < OTHERS:
        return False
    return before is None or abs(now - before) > SAME * max(now, before)


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    return []


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def _busy_seconds() -> float:
    times = psutil.cpu_times()._asdict()
    return float(sum(times.get(kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal")))


def _own_seconds() -> float:
    """CPU seconds of this process and of those it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
