"""KEEPs, run again from their commits: which hold their sealed score within the noise."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import Iteration, Sample, Status
from gitexp.observer import Observer
from gitexp.review.rerun import rerun
from gitexp.review.temporary_worktree import scratch
from gitexp.verdict.rules import holds_against

SURE = 2.0  # times the noise: one honest KEEP in forty misses by more


@dataclass(frozen=True, slots=True)
class Verified:
    iteration: Iteration
    samples: tuple[Sample, ...]
    holds: bool
    why: str


def chosen(ledger: Ledger, names: Sequence[str], sample: int | None) -> list[Iteration]:
    """The KEEPs that are named, or all but the baseline; ``sample`` of them, drawn at random, the same each time."""
    found = [history.find(ledger, name) for name in names]
    if wrong := next((i for i in found if i.status is not Status.KEEP), None):
        raise GitexpError(f"{wrong.id} is a {wrong.status.value}: only what is kept is verified.", "gitexp log")
    keeps = found or [i for i in ledger.iterations[1:] if i.status is Status.KEEP]
    if sample is None or sample >= len(keeps):
        return keeps
    drawn = random.Random(ledger.tip).sample(keeps, sample)  # noqa: S311  no secret
    return sorted(drawn, key=lambda iteration: iteration.number)


def verify(repo: Repository, ledger: Ledger, iterations: Sequence[Iteration], observer: Observer) -> Iterator[Verified]:
    """Run each from its commit, in a scratch work tree. Raises when a run could not be compared with the sealed one."""
    for iteration in iterations:
        with scratch(repo, iteration.commit) as work:
            samples, last = rerun(repo, ledger, work, f"{iteration.id}.verify", observer)
        if last.score is None:
            yield Verified(iteration, tuple(samples), False, f"it crashed: {last.reason}")
            continue
        runs = {sample.seed: sample.score for sample in samples}
        yield Verified(iteration, tuple(samples), *holds_against(ledger, runs, iteration.id, SURE))
