"""What one DISCARD costs where many are taken: in one process, and between the verdicts of the real commands."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import fmean

from .processes import FailedError, run
from .wheel import environment, programs

STEPS = 20  # iterations of one measurement
HERE = Path(__file__).parent
VERDICT = re.compile(r"exp\d+ DISCARD ")


def times(where: Path, steps: int) -> list[float]:
    """Milliseconds of each of so many DISCARDs in one process."""
    return list(json.loads(run([programs() / "python", HERE / "steps.py", where, str(steps)])[1]))


def in_process(where: Path, steps: int = STEPS) -> float:
    """Milliseconds of a DISCARD; the process's first one, which fills its caches, does not count."""
    return fmean(times(where, steps + 1)[1:])


def commanded(where: Path, *words: str) -> float:
    """Milliseconds from one verdict to the next of ``gitexp loop`` or ``sweep``, as a person sees them printed."""
    command = [str(programs() / "gitexp"), words[0], "--steps", str(STEPS + 1), *words[1:]]
    moments = []
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(
            command, cwd=where, env=environment(), stdout=subprocess.PIPE, stderr=said, text=True
        ) as running:
            assert running.stdout
            for line in running.stdout:
                if VERDICT.match(line):
                    moments.append(1000 * time.perf_counter())
        if running.returncode or len(moments) != STEPS + 1:
            said.seek(0)
            raise FailedError(f"gitexp {' '.join(words)}: {len(moments)} DISCARDs\n{said.read()[-2000:]}")
    return (moments[-1] - moments[0]) / STEPS
