"""One training run: a copy of the template, or the same model in PyTorch, in a process of its own, then scored."""

from __future__ import annotations

import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "templates" / "mlx"
SHAKESPEARE = HERE.parents[2] / "shared" / "data" / "tinyshakespeare.txt"
TORCH = "torch==2.13.0"
STOCK_BLAS = ("prepare.py", r"(?m)^BLAS = load_blas\(\)", "BLAS = REFERENCE_BLAS")

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Machine:
    """What every run of a bench shares."""

    budget: float
    threads: int
    data: Path | None  # None: the text that comes with Python

    @property
    def environment(self) -> dict[str, str]:
        settings = {"TIME_BUDGET": str(self.budget), "GITEXP_DATA": str(self.data or "")}
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self.threads))
        return os.environ | settings | threads | {"GITEXP_RUN_DIR": ".gitexp-run", "GITEXP_METRICS": ""}

    def run(self, *command: object, folder: Path, **settings: object) -> tuple[str, float, float]:
        """(stdout, the moment of the start, wall seconds); a failure stops the bench with the run's own words."""
        began = time.monotonic()
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env=self.environment | {name: str(value) for name, value in settings.items()},
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))} in {folder} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout, began, time.monotonic() - began


def default_data() -> Path | None:
    return SHAKESPEARE if SHAKESPEARE.exists() else None


def pin(threads: int) -> None:
    """Keep this process and its children on as many cores as they have threads, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def copy_template(edits: tuple[tuple[str, str, str], ...] = (), **constants: object) -> Path:
    """The four files in a new folder, with constants of train.py replaced. It is left there, to be looked into."""
    folder = Path(tempfile.mkdtemp(prefix="gitexp-bench-"))
    for name in ("train.py", "prepare.py", "kernels.py", "evaluate.py"):
        (folder / name).write_bytes((TEMPLATE / name).read_bytes())
    lines = [("train.py", rf"(?m)^{name} = [^#\n]*", f"{name} = {value}  ") for name, value in constants.items()]
    for name, pattern, replacement in (*edits, *lines):
        text, count = re.subn(pattern, replacement, (folder / name).read_text())
        if count != 1:
            sys.exit(f"{pattern} is {count} times in {name}, not once.")
        (folder / name).write_text(text)
    return folder


def score(machine: Machine, folder: Path, started: float, seconds: float) -> Figures:
    """What a finished training left in its folder, and what the template's evaluate.py says of its weights."""
    evaluation = machine.run(sys.executable, "evaluate.py", folder=folder, GITEXP_METRICS=folder / "metrics.json")[2]
    timed = json.loads((folder / "timed.json").read_text())
    moments = timed["moments"]  # the end of each step
    steps = sorted(b - a for a, b in itertools.pairwise(moments))
    return {
        **json.loads((folder / "metrics.json").read_text()),
        "peak_gflops": timed["peak_gflops"],
        "first_step_seconds": moments[0] - started,
        "evaluation_percent": 100 * evaluation / (seconds + evaluation),
        "step_ms": 1e3 * statistics.median(steps),
        "stall": steps[-1] / statistics.median(steps),  # the longest step over the median
    }


def train_template(
    machine: Machine, *edits: tuple[str, str, str], seed: int = 0, gc: bool = False, **constants: object
) -> Figures:
    folder = copy_template(edits, **constants)
    command = (sys.executable, HERE / "timed.py")
    _, began, seconds = machine.run(*command, folder=folder, RANDOM_SEED=seed, BENCH_GC="1" if gc else "")
    return score(machine, folder, began, seconds)


def torch_python(where: Path) -> Path:
    """The interpreter of an environment with torch, made when it is not there: torch is no dependency of gitexp."""
    python = where / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"making {where} with {TORCH}, for this bench alone", flush=True)
        venv.create(where, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "-q", TORCH, "numpy", "safetensors"], check=True)
    return python


def train_torch(machine: Machine, python: Path, rate: float, seed: int = 0) -> Figures:
    """The same model in PyTorch: its weights have the template's names, so the template's evaluate.py scores them."""
    folder = copy_template()
    machine.run(sys.executable, HERE / "timed.py", folder=folder, BENCH_EXPORT="1")
    settings = {"RANDOM_SEED": seed, "BENCH_RATE": rate}
    _, began, seconds = machine.run(python, HERE / "torch_gpt.py", folder=folder, **settings)
    return score(machine, folder, began, seconds)
