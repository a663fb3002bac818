"""KEEPs measured again from their commits: which of them hold their sealed score within the noise."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.git.scratch import scratch_tree
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Sample, Status
from gitexp.observer import Observer
from gitexp.review.remeasure import remeasure
from gitexp.run.device import Busy
from gitexp.verdict.rules import holds_against

SURE = 2.0  # times the noise: one KEEP in forty is further below its sealed score by chance


@dataclass(frozen=True, slots=True)
class Verified:
    """A KEEP, its new samples, and whether they hold its sealed score; ``why`` is a clause that explains it."""

    iteration: Iteration
    samples: tuple[Sample, ...]
    holds: bool
    why: str


def choose(ledger: Ledger, names: Sequence[str], sample: int | None) -> list[Iteration]:
    """The KEEPs that are named, or all but the baseline; ``sample`` of them, drawn at random.

    The same history gives the same draw. Raises GitexpError for a name that is not a KEEP's.
    """
    named = [history.find(ledger, name) for name in names]
    if other := next((i for i in named if i.status is not Status.KEEP), None):
        raise GitexpError(f"{other.id} is a {other.status.value}, and only KEEPs are verified.", "gitexp log")
    keeps = named or [i for i in ledger.iterations[1:] if i.status is Status.KEEP]
    if sample is None or sample >= len(keeps):
        return keeps
    drawn = random.Random(ledger.tip).sample(keeps, sample)  # noqa: S311  not a secret
    return sorted(drawn, key=lambda iteration: iteration.number)


def verify(
    repo: Repository, ledger: Ledger, iterations: Sequence[Iteration], observer: Observer, busy: Busy
) -> Iterator[Verified]:
    """Measure each iteration again, in a temporary work tree of its commit.

    Raises GitexpError where a score cannot be compared with the sealed one.
    """
    for iteration in iterations:
        with scratch_tree(repo, iteration.commit) as work:
            samples, last = remeasure(repo, ledger, work, f"{iteration.id}.verify", observer, busy)
        if last.score is None:
            yield Verified(iteration, tuple(samples), False, f"it crashed: {last.reason}")
            continue
        runs = {sample.seed: sample.score for sample in samples}
        yield Verified(iteration, tuple(samples), *holds_against(ledger, runs, iteration.id, SURE))
