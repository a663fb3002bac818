"""A candidate's runs, and its incumbent's, one after another until the rule reaches a verdict."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.iteration.journal import Snapshot, read_evidence, write_evidence
from gitexp.iteration.overlay import borrowed
from gitexp.iteration.run_trees import run_tree
from gitexp.iteration.seal import base_files
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Contract, Measurement, ReplicateRequest, Verdict
from gitexp.observer import Observer
from gitexp.run.curve import Pruner
from gitexp.run.interference import speed
from gitexp.run.measure import Run, measure
from gitexp.run.run_tree import Content
from gitexp.verdict.rules import decide


def gather(
    repo: Repository,
    place: ExperimentFiles,
    ledger: Ledger,
    snapshot: Snapshot,
    observer: Observer,
    pruner: Pruner | None = None,
) -> tuple[Measurement, Verdict]:
    """Run the candidate, and it or the incumbent again for as long as the rule asks for more; the verdict.

    What was measured is kept on disk before another run: should this die, the next step of the same edit takes it over.
    Raises :class:`GitexpError`, with nothing to record, when a run can have no verdict (skipped, spoiled, or on another
    device).
    """
    candidate = snapshot.candidate
    evidence = read_evidence(place, candidate)
    if evidence:
        observer.say(f"{candidate.id}: {len(evidence.samples)} finished run(s) of the interrupted step are taken over.")
    else:
        first, seed = candidate.label(1), ledger.contract.seed
        asked = Run(candidate.id, seed, candidate.run, first, _content(ledger, snapshot), pruner=pruner)
        evidence = _run(repo, place, ledger, candidate.id, asked, None, observer)
    while isinstance(decided := decide(ledger, evidence, candidate.simpler), ReplicateRequest):
        write_evidence(place, candidate, evidence)
        observer.say(f"{candidate.id}: {decided.reason}")
        label = candidate.label(len(evidence.samples) + 1)
        if decided.of == candidate.id:
            asked = Run(decided.of, decided.seed, candidate.run, label, _content(ledger, snapshot))
            evidence = _run(repo, place, ledger, candidate.id, asked, evidence, observer)
        else:
            asked = Run(decided.of, decided.seed, candidate.run, label, _incumbent(repo, ledger, snapshot))
            with _overlaid(repo, place, ledger.contract, snapshot, asked.content):
                evidence = _run(repo, place, ledger, candidate.id, asked, evidence, observer)
    return evidence, decided


def gather_baseline(
    repo: Repository, place: ExperimentFiles, contract: Contract, snapshot: Snapshot, runs: int, observer: Observer
) -> Measurement:
    """Run the baseline ``runs`` times, each with a seed of its own; a crash ends it."""
    candidate = snapshot.candidate
    where = run_tree(repo, place, contract)
    evidence: Measurement | None = None
    for number in range(runs):
        label, seed = candidate.label(number + 1), contract.seed + number
        content = Content(candidate.tree, candidate.base, snapshot.files)
        asked = Run(candidate.id, seed, candidate.run, label, content)
        evidence = _joined(evidence, measure(where, place, contract, asked, observer), candidate.id)
        if evidence.score is None:
            break
    assert evidence
    return evidence


def _content(ledger: Ledger, snapshot: Snapshot) -> Content:
    return Content(snapshot.candidate.tree, ledger.incumbent.commit, snapshot.files)


def _incumbent(repo: Repository, ledger: Ledger, snapshot: Snapshot) -> Content:
    return Content(snapshot.base_tree, ledger.incumbent.commit, base_files(repo, snapshot))


def _overlaid(
    repo: Repository, place: ExperimentFiles, contract: Contract, snapshot: Snapshot, content: Content
) -> AbstractContextManager[None]:
    """In place, the incumbent's files lie in the work tree for a while."""
    return borrowed(repo, place, snapshot.files, content.files) if contract.in_place else nullcontext()


def _run(
    repo: Repository,
    place: ExperimentFiles,
    ledger: Ledger,
    candidate: str,
    asked: Run,
    evidence: Measurement | None,
    observer: Observer,
) -> Measurement:
    measured = measure(
        run_tree(repo, place, ledger.contract), place, ledger.contract, asked, observer, usual_speed(ledger)
    )
    check_comparable(ledger, measured)
    return _joined(evidence, measured, candidate)


def usual_speed(ledger: Ledger) -> float | None:
    """The incumbent's: what is much slower beside busy others was short of CPU."""
    last = ledger.incumbent.measurement
    return speed(dict(last.metrics), last.seconds / max(1, len(last.samples)))


def _joined(evidence: Measurement | None, more: Measurement, candidate: str) -> Measurement:
    """The evidence and one more replicate. Its score and metrics are the means of the candidate's own runs."""
    if evidence is None:
        return more
    samples = (*evidence.samples, *more.samples)
    spoiled = (*evidence.spoiled, *more.spoiled)
    if more.samples[0].iteration != candidate:
        return replace(evidence, samples=samples, spoiled=spoiled)
    if more.score is None:
        return replace(more, samples=samples, spoiled=spoiled)
    own = [sample.score for sample in samples if sample.iteration == candidate and sample.score is not None]
    mean = math.fsum(own) / len(own)  # statistics.fmean, less the 2 ms that its import takes
    weight, new = len(own) - 1, dict(more.metrics)
    metrics = tuple((n, (v * weight + new[n]) / (weight + 1)) for n, v in evidence.metrics if n in new)
    memory = max((m for m in (evidence.memory_mb, more.memory_mb) if m is not None), default=None)
    return replace(
        evidence, samples=samples, spoiled=spoiled, score=float(f"{mean:.12g}"), metrics=metrics, memory_mb=memory
    )


def check_comparable(ledger: Ledger, measured: Measurement) -> None:
    """Scores of another device or other data say nothing about the edit."""
    known = ledger.incumbent.measurement
    if measured.score is None:
        return
    for what, old, new in (("on", known.device, measured.device), ("with the data", known.data, measured.data)):
        if old != new:
            raise GitexpError(
                f"This ran {what} {new or 'nothing known'}, and {ledger.incumbent.id} {what} {old or 'nothing known'}: "
                "their scores cannot be compared. Nothing was recorded.",
                "gitexp init --name NAME   # starts a new experiment from here, on this device and data",
            )
