"""Verdicts under audit: computed again from the sealed rule, the sealed samples and the iterations before."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from statistics import fmean

from gitexp.errors import GitexpError
from gitexp.fsck.finding import Finding
from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.model import Contract, Iteration, Measurement, Notes, ReplicateRequest, Sample, Status, Verdict
from gitexp.text import one_line, short
from gitexp.verdict import guards
from gitexp.verdict.rules import baseline_runs, decide

_NUMBER = re.compile(r"(?<![A-Za-z_0-9])-?\d+(?:\.\d+)?(?:e[-+]?\d{1,3})?", re.ASCII)
_REST = "Later verdicts depend on it, and were not judged."


def check_verdicts(contract: Contract, iterations: Sequence[Iteration], since: int = 0) -> Iterator[Finding]:
    """Whether verdicts, scores and deltas follow from the samples, and the samples are those that the rule asked for.

    ``iterations`` begin with the baseline and have no gap; those before index ``since`` are believed. Each is judged by
    what the iterations before it should have been, so that one change is found once. An iteration with wrong samples is
    the last that is judged, as later verdicts depend on it.
    """
    before: list[Iteration] = []
    certain = True  # that the sentences of later reasons have the numbers that they were written with
    try:
        for at, iteration in enumerate(iterations):
            findings, by_rule = ([], iteration) if at < since else _judge_again(contract, before, iteration)
            if by_rule is None and at + 1 < len(iterations):
                findings[-1] = replace(findings[-1], sentence=f"{findings[-1].sentence} {_REST}")
            yield from (finding for finding in findings if certain or finding.code != "reason")
            certain = certain and all(finding.code == "reason" for finding in findings)
            if by_rule is None:
                return
            # A DISCARD with a single run says nothing about the noise: without those, time is linear in the history.
            if by_rule.status is Status.KEEP or len(by_rule.measurement.samples) > 1:
                before.append(by_rule)
    except GitexpError as error:
        yield Finding("contract", error.sentence, error.hint)
    except ArithmeticError as error:  # scores so extreme that no run has them
        yield Finding("sample", f"The scores of {contract.metric} cannot be computed with: {error}.", "gitexp log")


def check_alone(contract: Contract | None, iteration: Iteration) -> Iterator[Finding]:
    """What an iteration's own trailers show, where the iterations before it are not in this clone."""
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
        yield Finding("sample", f"The scores of {iteration.id} cannot be computed with: {error}.", why)


def _judge_again(
    contract: Contract, before: Sequence[Iteration], iteration: Iteration
) -> tuple[list[Finding], Iteration | None]:
    """The findings of an iteration, and the iteration as its rule makes it of its samples.

    The latter is ``None`` where the samples are not those that the rule asked for.
    """
    ledger = Ledger("", "", contract, IterationTuple(tuple(before)), Notes()) if before else None
    why = f"gitexp why {iteration.id}"
    by_request = _request_fault(ledger, iteration) if ledger else _baseline_fault(contract, iteration)
    if fault := _sample_fault(iteration, ledger) or by_request:
        sentence = f"{iteration.id}'s samples are not those that its rule asks for: {fault}."
        return [Finding("sample", sentence, why)], None
    measured = replace(iteration.measurement, score=_mean(iteration))
    verdict = decide(ledger, measured, iteration.candidate.simpler) if ledger else _of_baseline(contract, measured)
    findings = [*_check_status(contract, iteration, verdict, why)]
    if isinstance(verdict, ReplicateRequest):
        return findings, None
    if not findings or findings[0].code == "verdict":
        findings += _check_score(iteration, measured.score, verdict, why)
    if not findings and ledger:
        findings += _check_reason(ledger, iteration, measured, verdict, why)
    by_rule = replace(iteration, measurement=measured, verdict=verdict)
    return findings, None if any(finding.code == "sample" for finding in findings) else by_rule


def _of_baseline(contract: Contract, measured: Measurement) -> Verdict:
    broken = guards.broken(contract, measured)
    return Verdict(Status.DISCARD if broken else Status.KEEP, broken)


def _check_status(
    contract: Contract, iteration: Iteration, verdict: Verdict | ReplicateRequest, why: str
) -> Iterator[Finding]:
    sealed = f"{iteration.id} is sealed as {iteration.status.value}, and"
    if isinstance(verdict, ReplicateRequest):
        yield Finding("verdict", f"{sealed} its rule had not decided yet: {verdict.reason}.", why)
    elif verdict.status is iteration.status:
        return
    elif verdict.status is Status.DISCARD and (broken := guards.broken(contract, iteration.measurement)):
        yield Finding("guard", f"{sealed} {broken}.", why)
    else:
        yield Finding("verdict", f"{sealed} by its rule is {verdict.status.value}: {verdict.reason}.", why)


def _check_score(iteration: Iteration, mean: float | None, verdict: Verdict, why: str) -> Iterator[Finding]:
    """Whether score and delta are those that the samples give."""
    if Status.CRASH in (iteration.status, verdict.status):
        if iteration.status is verdict.status and iteration.delta is not None:
            yield Finding("delta", f"{iteration.id} is a CRASH, and has a delta.", why)
        return
    delta_follows = _same(iteration.delta, verdict.delta, mean)
    if not _same(iteration.score, mean):
        code = "score" if delta_follows else "sample"  # the delta tells which of the two was edited
        yield Finding(code, f"{iteration.id}'s score is {iteration.score!r}, and its samples' mean {mean!r}.", why)
    elif not delta_follows:
        deltas = f"{_text(iteration.delta)}, and by its samples it is {_text(verdict.delta)}"
        yield Finding("delta", f"{iteration.id}'s delta is {deltas}.", why)


def _check_reason(
    ledger: Ledger, iteration: Iteration, measured: Measurement, verdict: Verdict, why: str
) -> Iterator[Finding]:
    """Whether the reason is the rule's. A CRASH's is what its run ended with, and nothing else tells it."""
    reasons = [verdict.reason]
    if iteration.candidate.simpler:  # how much simpler it is, is another finding
        plain = decide(ledger, measured)
        reasons += [plain.reason] if isinstance(plain, Verdict) else []
    if iteration.status is not Status.CRASH and not any(_reads_the_same(iteration.reason, one) for one in reasons):
        sealed, expected = one_line(iteration.reason, 80), one_line(verdict.reason, 200)
        yield Finding("reason", f"{iteration.id}'s reason is {sealed!r}, and by its rule {expected!r}.", why)


def _reads_the_same(one: str, other: str) -> bool:
    """Whether two sentences have the same words and numbers; a fraction may be rounded in either."""
    one, other = one_line(one), one_line(other)
    numbers = [[*map(Decimal, _NUMBER.findall(text))] for text in (one, other)]
    if _NUMBER.sub("0", one) != _NUMBER.sub("0", other):
        return False
    for a, b in zip(*numbers, strict=True):
        places = [int(number.as_tuple().exponent) for number in (a, b)]
        if a != b and (min(places) >= 0 or abs(a - b) > Decimal(10) ** max(places)):
            return False
    return True


def _own(iteration: Iteration) -> list[Sample]:
    """The samples of the iteration itself, not of its incumbent."""
    return [sample for sample in iteration.measurement.samples if sample.iteration == iteration.id]


def _mean(iteration: Iteration) -> float | None:
    """The mean score of an iteration's own samples; ``None`` if a run crashed."""
    samples = _own(iteration)
    scores = [sample.score for sample in samples if sample.score is not None]
    if len(scores) < len(samples):
        return None
    return scores[0] if len(scores) == 1 else float(f"{fmean(scores):.12g}")


def _sample_fault(iteration: Iteration, ledger: Ledger | None) -> str:
    """What no step seals, among an iteration's samples, as a clause; empty where nothing is wrong."""
    samples, own = iteration.measurement.samples, _own(iteration)
    incumbent = ledger.incumbent.id if ledger else iteration.id
    if not own or samples[0] is not own[0]:
        return "the first is not its own"
    if others := [sample for sample in samples if sample.iteration not in (iteration.id, incumbent)]:
        return f"{others[0].iteration} was not the incumbent"
    if len({(sample.iteration, sample.seed) for sample in samples}) < len(samples):
        return "one seed stands twice"
    if any(sample.score is None for sample in own) and samples[-1] != next(s for s in own if s.score is None):
        return "a run follows a crash"
    return ""


def _baseline_fault(contract: Contract, baseline: Iteration) -> str:
    """How a baseline's seeds differ from those that the rule asks for; empty where they do not."""
    seeds = [sample.seed for sample in baseline.measurement.samples]
    wanted = [contract.seed + number for number in range(baseline_runs(contract.rule))]
    return "" if seeds == wanted else f"the seeds are {seeds}, and the rule asks for {wanted}"


def _request_fault(ledger: Ledger, iteration: Iteration) -> str:
    """The first run that the rule, given the runs before it, did not ask for; empty where it asked for all."""
    samples, seed = iteration.measurement.samples, ledger.contract.seed
    if samples[0].seed != seed:
        return f"the first seed is {samples[0].seed}, and the contract's is {seed}"
    unguarded = replace(ledger, contract=replace(ledger.contract, guards=()))  # a broken guard allows no second run
    for count in range(1, len(samples)):
        measurement = Measurement(samples[:count], score=samples[0].score)
        request = decide(unguarded, measurement, iteration.candidate.simpler)
        if isinstance(request, Verdict):
            return f"after {count} of {len(samples)} runs the verdict was {request.status.value}"
        if (request.of, request.seed) != (samples[count].iteration, samples[count].seed):
            run = f"{samples[count].iteration} with seed {samples[count].seed}"
            return f"run {count + 1} is of {run}, and the rule asks for {request.of} with seed {request.seed}"
    return ""


def _same(one: float | None, other: float | None, scale: float | None = None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12 * abs(scale or 0.0))


def _text(delta: float | None) -> str:
    return "none" if delta is None else f"{delta:.12g}"
