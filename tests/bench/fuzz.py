"""What reading hostile output costs: ``python -m tests.bench.fuzz`` reads a million fuzzed lines as a run's.

Prints the time a line of the last tenth beside that of the first, the slowest line, and memory at both ends.
"""

from __future__ import annotations

import random
import resource
import time

import click

from gitexp.run.crash import signature
from gitexp.run.curve import PERCENT, Recorder, Tenths
from gitexp.run.score import SummaryParser

FRAGMENTS = (
    *("loss ", "loss: ", "val_loss=", "METRIC ", "METRIC a=", "step 1 ", "epoch 3 | ", "9 %", "nan", "inf", "1e308"),
    *(
        "1e1",
        "0x0",
        "/a",
        "1,",
        "N, ",
        "a: ",
        "{",
        '{"loss": ',
        "[{",
        '"',
        "\\",
        "---",
        "Error",
        "A.Error: ",
        '", line 1',
    ),
    *('  File "', "\x1b[31m", "\x1b]0;", "\r", "\b", "\0", "\u202e", "\ufeff", "😀", "ACDEFGHIKLMNPQRSTVWY", "0" * 300),
    *(" ", "\t", "=", ".", "-", "+", "e", "9", "A" * 1000),
)
MOST = 12  # fragments of a line
SEED = 20


@click.command()
@click.option("--lines", default=1_000_000, show_default=True)
def fuzz(lines: int) -> None:
    """Read LINES fuzzed lines as those of a run."""
    chance = random.Random(SEED)
    parser, recorder, tenths = SummaryParser("loss"), Recorder(), Tenths(60.0)
    tenth, took, memory, slowest = max(1, lines // 10), [], [], 0.0
    for _ in range(10):
        spent = 0.0
        for _ in range(tenth):
            line = "".join(chance.choices(FRAGMENTS, k=chance.randint(1, MOST)))
            began = time.perf_counter()
            parser.feed(line)
            if point := recorder.take(line):
                tenths.take(point)
            PERCENT.search(line)
            signature([line], ["train.py"])
            needed = time.perf_counter() - began
            spent, slowest = spent + needed, max(slowest, needed)
        took.append(1e6 * spent / tenth)
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    click.echo(
        f"{10 * tenth:,} lines: {took[0]:.1f} us each in the first tenth, {took[-1]:.1f} in the last: ", nl=False
    )
    click.echo(f"{took[-1] / took[0]:.2f} times. The slowest took {1e3 * slowest:.1f} ms.")
    click.echo(f"peak memory: {memory[0]:.1f} MB after the first tenth, {memory[-1]:.1f} at the end: ", nl=False)
    click.echo(f"{memory[-1] / memory[0]:.2f} times")


if __name__ == "__main__":
    fuzz()
