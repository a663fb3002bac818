"""What gitexp itself costs, beside a named baseline that is measured in the same run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

from tests.bench.histories import BRANCH, git, make

LONG = 100_000  # iterations of the long history
STEPS = 20  # iterations that a loop takes for one measurement
PARSE = 3e-6  # seconds that a commit may cost beyond what git takes to print it
PROTOCOL = """\
for n in $(seq {steps}); do
    echo "LR = -$RANDOM$n" > train.py
    git commit --quiet --all --message "try $n"
    sh .git/hooks/post-run > run.log 2>&1
    grep '^val_bpb:' run.log > /dev/null
    git rev-parse --short HEAD > /dev/null
    git reset --quiet --hard HEAD~1
done
"""


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    what: str
    against: str
    aim: float  # the ratio to reach
    run: Callable[[], float]  # seconds
    baseline: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Result:
    row: Row
    seconds: float
    baseline: float
    ratio: float
    low: float
    high: float


def measure(row: Row, rounds: int) -> Result:
    """Alternating, so that a busy moment meets both sides; the median of the rounds' ratios, and their spread."""
    row.run(), row.baseline()
    pairs = [(row.run(), row.baseline()) for _ in range(rounds)]
    ratios = sorted(a / b for a, b in pairs)
    return Result(row, median(a for a, _ in pairs), median(b for _, b in pairs), median(ratios), ratios[0], ratios[-1])


@cache
def _folder() -> Path:
    return Path(_temporary().name)


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="gitexp-bench-")


@cache
def repository(iterations: int, files: int = 10) -> Path:
    """An experiment of so many iterations in a repository of so many files, its cache warm as after any command."""
    made = make(_folder() / f"{iterations}-{files}", iterations, files)
    (made / ".git/info/exclude").write_text("run.log\n")
    command("render", folder=made)
    return made


def timed(words: list[str], folder: Path | None = None) -> float:
    started = time.perf_counter()
    subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def python(code: str) -> Callable[[], float]:
    return lambda: timed([sys.executable, "-c", code])


def command(*words: str, folder: Path | None = None) -> float:
    return timed([str(Path(sys.executable).parent / "gitexp"), *words], folder)


@contextmanager
def _edited(folder: Path) -> Iterator[None]:
    (folder / "train.py").write_text(f"LR = {time.time_ns()}\n")
    yield


def step(folder: Path) -> float:
    """One DISCARD, as a process."""
    with _edited(folder):
        return command("step", "-m", "an idea", folder=folder)


def loop(folder: Path) -> float:
    """Seconds a DISCARD takes inside a long-lived process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.steps", str(folder), str(STEPS)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def protocol(folder: Path) -> float:
    """Seconds an iteration takes in the bash protocol that the loop grew out of (commit, train, reset --hard)."""
    script = folder.parent / "protocol.sh"
    script.write_text(PROTOCOL.format(steps=STEPS))
    return timed(["bash", str(script)], folder) / STEPS


def rendering() -> float:
    out = repository(LONG).parent / "views"
    return command("render", "-o", str(out), folder=repository(LONG))


def streaming() -> float:
    """git printing every commit of the long history, and three microseconds a commit to read it."""
    folder = repository(LONG)
    pipe = f"git rev-list --first-parent {BRANCH} | git cat-file --batch --buffer > /dev/null"
    commits = int(git(folder, "rev-list", "--count", BRANCH))
    return timed(["bash", "-c", pipe], folder) + commits * PARSE


def rows() -> list[Row]:
    small, large = lambda: repository(100), lambda: repository(100, 20_000)
    both = "import click, git"
    return [
        Row(
            "loop",
            "a DISCARD in a loop, 10 files",
            "the bash protocol",
            1.0,
            lambda: loop(small()),
            lambda: protocol(small()),
        ),
        Row(
            "loop-20k",
            "the same, 20,000 files",
            "the bash protocol",
            0.15,
            lambda: loop(large()),
            lambda: protocol(large()),
        ),
        Row(
            "loop-files", "a DISCARD at 20,000 files", "at 10 files", 1.3, lambda: loop(large()), lambda: loop(small())
        ),
        Row(
            "step",
            "gitexp step",
            "importing click, git, jinja2",
            1.3,
            lambda: step(small()),
            python("import click, git, jinja2"),
        ),
        Row(
            "log", "gitexp log -n 20", f"{both}", 1.2, lambda: command("log", "-n", "20", folder=small()), python(both)
        ),
        Row("status", "gitexp status", f"{both}", 1.2, lambda: command("status", folder=small()), python(both)),
        Row("help", "gitexp --help", "import click", 1.3, lambda: command("--help"), python("import click")),
        Row(
            "rebuild",
            "both views of 100,000 iterations",
            "git printing the history, 3 us a commit",
            1.3,
            rendering,
            streaming,
        ),
        Row(
            "refresh",
            "a step at 100,000 iterations",
            "at 1,000",
            1.2,
            lambda: step(repository(LONG)),
            lambda: step(repository(1000)),
        ),
        *(
            Row(f"{name}-long", f"gitexp {' '.join(words)} at 100,000 iterations", "at 100", 2.0, *_both(words))
            for name, words in (("log", ("log", "-n", "20")), ("status", ("status",)), ("brief", ("brief",)))
        ),
    ]


def _both(words: tuple[str, ...]) -> tuple[Callable[[], float], Callable[[], float]]:
    return lambda: command(*words, folder=repository(LONG)), lambda: command(*words, folder=repository(100))


def close() -> None:
    _temporary().cleanup()
    os.sync()
