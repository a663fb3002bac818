"""Verdicts computed again: from the sealed rule, the sealed samples, and what stood on the branch before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from gitexp.errors import GitexpError
from gitexp.fsck.finding import Finding
from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.model import Contract, Iteration, Measurement, Notes, ReplicateRequest, Sample, Status, Verdict
from gitexp.text import short
from gitexp.verdict import guards
from gitexp.verdict.rules import baseline_runs, decide

_REST = "What comes after it rests on it, and was not judged."


def retry(contract: Contract, iterations: Sequence[Iteration], since: int = 0) -> Iterator[Finding]:
    """What does not follow, among ``iterations``: all from the baseline on, without a gap. Those before ``since`` are
    taken as they are.

    Each is judged by what those before it should have been, so that what was forged is found once. The first whose
    samples are not sound is the last that is looked at: what comes after it rests on it.
    """
    before: list[Iteration] = []
    try:
        for at, iteration in enumerate(iterations):
            found, by_rule = ([], iteration) if at < since else _try(contract, before, iteration)
            if by_rule is None and at + 1 < len(iterations):
                found[-1] = replace(found[-1], sentence=f"{found[-1].sentence} {_REST}")
            yield from found
            if by_rule is None:
                return
            # A single run of what was not kept says nothing of the noise: without those this stays fast at any length.
            if by_rule.status is Status.KEEP or len(by_rule.measurement.samples) > 1:
                before.append(by_rule)
    except GitexpError as error:
        yield Finding("contract", error.sentence, error.hint)
    except ArithmeticError as error:  # scores that no run has
        yield Finding("sample", f"What was measured cannot be computed with: {error}.", "gitexp log")


def check_alone(contract: Contract | None, iteration: Iteration) -> Iterator[Finding]:
    """What an iteration's own trailers show where what stood before it is not at hand."""
    why = f"git show {short(iteration.commit)}"
    try:
        if not _own(iteration):
            yield Finding("sample", f"{iteration.id} has no sample of its own.", why)
        elif not _same(iteration.score, mean := _mean(iteration)):
            yield Finding(
                "score", f"{iteration.id}'s score is {iteration.score!r}, and its samples' mean {mean!r}.", why
            )
        if contract and (broken := guards.broken(contract, iteration.measurement)):
            yield Finding("guard", f"{iteration.id} is kept, and {broken}.", why)
    except GitexpError as error:
        yield Finding("contract", error.sentence, error.hint)
    except ArithmeticError as error:
        yield Finding("sample", f"What was measured cannot be computed with: {error}.", why)


def _try(
    contract: Contract, before: Sequence[Iteration], iteration: Iteration
) -> tuple[list[Finding], Iteration | None]:
    """What is wrong with an iteration, and the iteration as its rule makes it of its samples."""
    ledger = Ledger("", "", contract, IterationTuple(tuple(before)), Notes()) if before else None
    why = f"gitexp why {iteration.id}"
    if wrong := _unsound(iteration, ledger) or (_unasked(ledger, iteration) if ledger else _unrun(contract, iteration)):
        said = f"{iteration.id}'s samples are not what its rule asks for: {wrong}."
        return [Finding("sample", said, why)], None
    measured = replace(iteration.measurement, score=_mean(iteration))
    verdict = decide(ledger, measured, iteration.candidate.simpler) if ledger else _of_baseline(contract, measured)
    found = [*_check_status(contract, iteration, verdict, why)]
    if isinstance(verdict, ReplicateRequest):
        return found, None
    if not found or found[0].code == "verdict":
        found += _check_score(iteration, measured.score, verdict, why)
    by_rule = replace(iteration, measurement=measured, verdict=verdict)
    return found, None if any(finding.code == "sample" for finding in found) else by_rule


def _of_baseline(contract: Contract, measured: Measurement) -> Verdict:
    broken = guards.broken(contract, measured)
    return Verdict(Status.DISCARD if broken else Status.KEEP, broken)


def _check_status(
    contract: Contract, iteration: Iteration, verdict: Verdict | ReplicateRequest, why: str
) -> Iterator[Finding]:
    sealed = f"{iteration.id} is sealed as {iteration.status.value}, and"
    if isinstance(verdict, ReplicateRequest):
        yield Finding("verdict", f"{sealed} its rule had not decided: {verdict.reason}.", why)
    elif verdict.status is iteration.status:
        return
    elif verdict.status is Status.DISCARD and (broken := guards.broken(contract, iteration.measurement)):
        yield Finding("guard", f"{sealed} {broken}.", why)
    else:
        yield Finding("verdict", f"{sealed} by its rule is {verdict.status.value}: {verdict.reason}.", why)


def _check_score(iteration: Iteration, mean: float | None, verdict: Verdict, why: str) -> Iterator[Finding]:
    """Score and delta as the samples give them."""
    if Status.CRASH in (iteration.status, verdict.status):
        return
    delta_follows = _same(iteration.delta, verdict.delta, mean)
    if not _same(iteration.score, mean):
        code = "score" if delta_follows else "sample"  # whichever the delta does not bear out was edited
        yield Finding(code, f"{iteration.id}'s score is {iteration.score!r}, and its samples' mean {mean!r}.", why)
    elif not delta_follows:
        said = f"{iteration.id}'s delta is {_text(iteration.delta)}, and by its samples it is {_text(verdict.delta)}."
        yield Finding("delta", said, why)


def _own(iteration: Iteration) -> list[Sample]:
    return [sample for sample in iteration.measurement.samples if sample.iteration == iteration.id]


def _mean(iteration: Iteration) -> float | None:
    """The score that its samples give; none if a run crashed."""
    scores = [sample.score for sample in _own(iteration)]
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return None
    return known[0] if len(known) == 1 else float(f"{fmean(known):.12g}")


def _unsound(iteration: Iteration, ledger: Ledger | None) -> str:
    """What no step leaves behind."""
    samples, own = iteration.measurement.samples, _own(iteration)
    incumbent = ledger.incumbent.id if ledger else iteration.id
    if not own or samples[0] is not own[0]:
        return "the first is none of its own"
    if strange := [sample for sample in samples if sample.iteration not in (iteration.id, incumbent)]:
        return f"{strange[0].iteration} is not the incumbent that it met"
    if len({(sample.iteration, sample.seed) for sample in samples}) < len(samples):
        return "one seed stands twice"
    if any(sample.score is None for sample in own) and samples[-1] != next(s for s in own if s.score is None):
        return "a run follows a crash"
    return ""


def _unrun(contract: Contract, baseline: Iteration) -> str:
    seeds = [sample.seed for sample in baseline.measurement.samples]
    wanted = [contract.seed + number for number in range(baseline_runs(contract.rule))]
    return "" if seeds == wanted else f"the seeds are {seeds}, and were to be {wanted}"


def _unasked(ledger: Ledger, iteration: Iteration) -> str:
    """The first run that the rule, having seen those before it, did not ask for."""
    samples = iteration.measurement.samples
    if samples[0].seed != ledger.contract.seed:
        return f"the first seed is {samples[0].seed}, and was to be {ledger.contract.seed}"
    unguarded = replace(ledger, contract=replace(ledger.contract, guards=()))  # they held, or it had ended there
    for made in range(1, len(samples)):
        known = Measurement(samples[:made], score=samples[0].score)
        asked = decide(unguarded, known, iteration.candidate.simpler)
        if isinstance(asked, Verdict):
            return f"after {made} of {len(samples)} it was decided ({asked.status.value})"
        if (asked.of, asked.seed) != (samples[made].iteration, samples[made].seed):
            ran = f"{samples[made].iteration} with seed {samples[made].seed}"
            return f"run {made + 1} was to be of {asked.of} with seed {asked.seed}, and is of {ran}"
    return ""


def _same(one: float | None, other: float | None, scale: float | None = None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12 * abs(scale or 0.0))


def _text(delta: float | None) -> str:
    return "none" if delta is None else f"{delta:.12g}"
