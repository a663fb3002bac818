"""Ledgers made in memory, for what only reads them: of any length, and of any text."""

from __future__ import annotations

import random
from pathlib import Path

from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.model import Contract, Direction, Iteration, Measurement, Notes, Sample, Status
from gitexp.run.curve import Point
from gitexp.views.report_details import Details, newest
from tests.helpers.made_iterations import make_iteration

# What must be text wherever it stands: elements, the end of a script, links, marks that turn text around, long words.
HOSTILE = (
    "<script>alert('in an element')</script><img src=x onerror=alert(1)>",
    "</script><script>alert('after the data')</script><!-- <script>",
    "\" onmouseover=\"alert('in an attribute')\" ' onfocus='alert(1)' autofocus tabindex=1 {{ 7 * 7 }} ${alert(1)}",
    "javascript:alert('a link') &lt;b&gt; &amp; \u202egnp.exe\u2066\u200f \u2028 \u2029 \ud83d\ude00 \x1b[31m\x00",
    "w" * 10_000,
)


def ledger(count: int, words: str = "learning rate", direction: Direction = Direction.MINIMIZE) -> Ledger:
    """Every seventh iteration crashes, some are pruned; of the others, those are kept that are clearly better."""
    rng = random.Random(count)
    sign = 1 if direction is Direction.MINIMIZE else -1
    best = sign * 2.5
    iterations = []
    for number in range(count):
        true = best + rng.gauss(0.02, 0.03) * (number > 0)
        crashed = number % 7 == 6
        pruned = number % 13 == 12 and not crashed
        kept = number == 0 or (not crashed and not pruned and true < best - 0.01)
        delta = None if crashed or pruned or not number else sign * (true - best)
        best = true if kept else best
        status = Status.CRASH if crashed else Status.KEEP if kept else Status.DISCARD
        score = None if crashed or pruned else round(sign * true, 6)
        iterations.append(_iteration(number, status, score, delta, words, rng))
    contract = Contract(
        f"val {words}", direction, 300.0, 660.0, "train.py", ("train.py",), (), "confirm", "h", 0, guards=(words,)
    )
    notes = Notes(words, words, (words,), (words, "another thing"))
    return Ledger(words, "f" * 40, contract, IterationTuple(tuple(iterations)), notes)


def _iteration(
    number: int, status: Status, score: float | None, delta: float | None, words: str, rng: random.Random
) -> Iteration:
    identity = f"exp{number:03d}"
    runs = 1 if score is None or status is not Status.KEEP else 2
    samples = [Sample(identity, 0, rng.uniform(290, 310), score)]
    samples += [Sample(identity, seed, 300.0, (score or 0) + rng.gauss(0, 0.01)) for seed in range(1, runs)]
    measurement = Measurement(
        tuple(samples),
        score,
        ((words, 1.5), ("num_steps", 953.0)),
        memory_mb=None if score is None else round(rng.uniform(400, 900), 1),
        device=words,
        data=words,
        reason=words if score is None else "",
        error=f"ValueError: {words}" if status is Status.CRASH else "",
        pruned=words if score is None and status is Status.DISCARD else "",
        spoiled=(words,),
    )
    return make_iteration(
        identity,
        f"{number:032x}",
        "b" * 40,
        "c" * 40,
        status,
        f"{words} {number}",
        f"because of {words}",
        measurement,
        Notes(hypothesis=words, note=words),
        body=words,
        changes=(f"constant {words}",),
        params=((words, "1"),),
        delta=delta,
        commit=f"{number:040x}",
    )


def details(made: Ledger, words: str = "val_bpb: 2.0") -> Details:
    looked_at = [iteration.id for iteration in newest(made, 200)]
    diff = f"diff --git a/train.py b/train.py\n@@ -1 +1 @@\n-LR = 0.1 # {words}\n+LR = 0.2 # {words}"
    curve = [Point(3.0 - step / 50, step, step / 100) for step in range(101)]
    return Details(
        diffs=dict.fromkeys(looked_at, diff),
        tails={identity: [words, "the end"] for identity in looked_at},
        curves=dict.fromkeys(looked_at, curve),
    )


def ledger_of(folder: Path, name: str = "train") -> Ledger:
    return history.load(Repository.discover(folder), name)
