"""The evidence for a verdict: runs of the candidate, and of the incumbent, until the rule decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean

from gitexp import hook
from gitexp.borrow import borrowed
from gitexp.decide import decide
from gitexp.errors import GitexpError
from gitexp.git import Repository
from gitexp.measure import Run, measure
from gitexp.model import Again, Contract, Ledger, Measurement
from gitexp.objects import Entry, file_entry
from gitexp.observer import Observer
from gitexp.pending import Candidate, Place
from gitexp.seal import before
from gitexp.watch import speed
from gitexp.worktree import changed_frozen


def gather(repo: Repository, place: Place, ledger: Ledger, candidate: Candidate, observer: Observer) -> Measurement:
    """Run the candidate, and it or the incumbent again for as long as the rule asks for more.

    What was measured is kept on disk run by run: should this die, the next step of the same edit takes it over.
    Raises, with nothing to record, when a run has no verdict (skipped, spoiled, or on another device).
    """
    evidence = place.read_evidence(candidate)
    if evidence:
        observer.say(f"{candidate.id}: {len(evidence.samples)} finished run(s) of the interrupted step are taken over.")
    else:
        evidence = _run(repo, place, ledger, candidate, Again(candidate.id, ledger.contract.seed, ""), None, observer)
    while isinstance(asked := decide(ledger, evidence, candidate.simpler), Again):
        observer.say(f"{candidate.id}: {asked.reason}")
        if asked.of == candidate.id:
            evidence = _run(repo, place, ledger, candidate, asked, evidence, observer)
        else:
            with borrowed(repo, place, candidate.changes, before(repo, candidate)):
                evidence = _run(repo, place, ledger, candidate, asked, evidence, observer)
    return evidence


def gather_baseline(
    repo: Repository, place: Place, contract: Contract, candidate: Candidate, runs: int, observer: Observer
) -> Measurement:
    """Run the baseline ``runs`` times, each with a seed of its own; a crash ends it."""
    evidence: Measurement | None = None
    for number in range(runs):
        label = candidate.id if number == 0 else f"{candidate.id}.{number + 1}"
        asked = Run(candidate.id, contract.seed + number, candidate.run, label)
        measured = measure(
            repo,
            place,
            contract,
            asked,
            observer,
            check=lambda: check_held(repo, candidate.changes),
            tampered=lambda: tampered(repo, contract),
        )
        evidence = _joined(evidence, measured, candidate.id)
        if evidence.score is None:
            break
    assert evidence
    return evidence


def _run(
    repo: Repository,
    place: Place,
    ledger: Ledger,
    candidate: Candidate,
    asked: Again,
    evidence: Measurement | None,
    observer: Observer,
) -> Measurement:
    count = len(evidence.samples) if evidence else 0
    label = candidate.id if count == 0 else f"{candidate.id}.{count + 1}"
    last = ledger.incumbent.measurement
    usual = speed(dict(last.metrics), last.seconds / max(1, len(last.samples)))
    run = Run(asked.of, asked.seed, candidate.run, label)
    files = candidate.changes if asked.of == candidate.id else before(repo, candidate)
    measured = measure(
        repo,
        place,
        ledger.contract,
        run,
        observer,
        check=lambda: check_held(repo, files),
        tampered=lambda: tampered(repo, ledger.contract),
        usual=usual,
    )
    check_comparable(ledger, measured)
    evidence = _joined(evidence, measured, candidate.id)
    place.write_evidence(candidate, evidence)
    return evidence


def check_held(repo: Repository, files: Mapping[str, Entry | None]) -> None:
    """What is about to be run is what will be sealed: somebody may have saved a file since."""
    if changed := [path for path, entry in files.items() if file_entry(repo, path, entry) != entry]:
        raise GitexpError(
            f"{', '.join(changed)} was changed before it could be run again; nothing was recorded.", "git diff"
        )


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
    weight, new = len(own) - 1, dict(more.metrics)
    metrics = tuple((n, (v * weight + new[n]) / (weight + 1)) for n, v in evidence.metrics if n in new)
    memory = max((m for m in (evidence.memory_mb, more.memory_mb) if m is not None), default=None)
    return replace(
        evidence, samples=samples, spoiled=spoiled, score=float(f"{fmean(own):.12g}"), metrics=metrics, memory_mb=memory
    )


def tampered(repo: Repository, contract: Contract) -> str:
    """What the run, or somebody during it, did to the measurement; empty when it can be trusted."""
    if path := changed_frozen(repo, contract):
        return f"{path} is frozen, and was changed during the run"
    hooked = repo.hook_path(hook.NAME)
    if not hooked.is_file() or hook.blob(repo, hooked) != contract.hook:
        return "the post-run hook was changed during the run"
    return ""


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
