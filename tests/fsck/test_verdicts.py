"""Verdicts computed again: what the rule made of its runs follows from them, at any length, and nothing else does."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean

import pytest

from gitexp.fsck.verdicts import check_alone, check_verdicts
from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.model import Contract, Direction, Iteration, Measurement, Notes, ReplicateRequest, Sample, Status, Verdict
from gitexp.verdict.confirm import Confirm
from gitexp.verdict.rules import baseline_runs, decide
from tests.helpers.made_iterations import changed, make_iteration

CONTRACT = Contract("val_bpb", Direction.MINIMIZE, 5.0, 70.0, "train.py", ("train.py",), (), "single", "0", 3)


def history(rule: str, length: int) -> tuple[Contract, list[Iteration]]:
    """Iterations as steps would have sealed them, each judged with the whole ledger before it."""
    contract, dice = replace(CONTRACT, rule=rule, guards=("memory_mb<=100",)), random.Random(rule)
    truth: dict[str, float] = {}
    made: list[Iteration] = []

    def run(of: str, seed: int) -> Sample:
        score = None if len(truth) > 1 and dice.random() < 0.1 else truth[of] + dice.gauss(0, 0.01)
        return Sample(of, seed, 1.0, score)

    for number in range(length):
        ledger = Ledger("", "", contract, IterationTuple(tuple(made)), Notes()) if made else None
        identity = f"exp{number:03d}"
        truth[identity] = truth[ledger.incumbent.id] + dice.gauss(0.0, 0.01) if ledger else 1.0
        seeds = range(3, 3 + (1 if ledger else baseline_runs(rule)))
        measured = measure(identity, tuple(run(identity, seed) for seed in seeds), dice.choice((50.0, 50.0, 150.0)))
        if ledger is None:
            verdict: Verdict | ReplicateRequest = Verdict(Status.KEEP, "the baseline")
            measured = replace(measured, memory_mb=50.0)
        else:
            while isinstance(verdict := decide(ledger, measured), ReplicateRequest):
                samples = (*measured.samples, run(verdict.of, verdict.seed))
                measured = measure(identity, samples, measured.memory_mb)
        assert isinstance(verdict, Verdict)
        made.append(
            make_iteration(
                identity, identity, "", "", verdict.status, "", verdict.reason, measured, delta=verdict.delta
            )
        )
    return contract, made


def measure(identity: str, samples: tuple[Sample, ...], memory: float | None) -> Measurement:
    own = [sample.score for sample in samples if sample.iteration == identity]
    known = [score for score in own if score is not None]
    mean = known[0] if len(known) == 1 else float(f"{fmean(known):.12g}") if known else None
    return Measurement(samples, score=mean if len(known) == len(own) else None, memory_mb=memory)


@pytest.mark.parametrize("rule", ["single", "margin 0.01", str(Confirm())])
def test_what_steps_sealed_follows(rule: str) -> None:
    contract, made = history(rule, 120)
    assert {iteration.status for iteration in made} == set(Status)
    assert list(check_verdicts(contract, made)) == []
    if rule.startswith("confirm"):
        assert sum(len(iteration.measurement.samples) > 1 for iteration in made) > 5


@pytest.mark.parametrize("rule", ["single", "margin 0.01", str(Confirm())])
def test_one_other_verdict_is_found_once(rule: str) -> None:
    contract, made = history(rule, 60)
    for at in range(1, 60, 3):
        falsified = Status.DISCARD if made[at].status is Status.KEEP else Status.KEEP
        found = list(check_verdicts(contract, [*made[:at], changed(made[at], status=falsified), *made[at + 1 :]]))
        assert [finding.code for finding in found] in (["verdict"], ["guard"])
        assert found[0].sentence.startswith(f"{made[at].id} is sealed as {falsified.value}, and ")


def test_runs_that_no_rule_asked_for() -> None:
    contract, made = history(str(Confirm()), 20)
    at = next(at for at in range(1, 20) if len(made[at].measurement.samples) == 1 and made[at].score)
    more = Sample(made[at].id, 4, 1.0, 0.5)

    def sealed(*samples: Sample) -> list[str]:
        falsified = replace(made[at], measurement=measure(made[at].id, samples, 50.0))
        return [finding.sentence for finding in check_verdicts(contract, [*made[:at], falsified, *made[at + 1 :]])]

    (first,) = made[at].measurement.samples
    assert "after 1 of 2 runs the verdict was DISCARD. Later verdicts depend on it" in sealed(first, more)[0]
    assert "the first seed is 4, and the contract's is 3" in sealed(more)[0]
    assert "the first is not its own" in sealed(replace(more, iteration="exp000"), first)[0]
    assert "exp999 was not the incumbent" in sealed(first, replace(more, iteration="exp999"))[0]
    assert "one seed stands twice" in sealed(first, first)[0]
    assert "a run follows a crash" in sealed(replace(first, score=None), more)[0]


def test_a_baseline_is_held_to_its_rule() -> None:
    contract, made = history(str(Confirm()), 1)
    once = replace(made[0], measurement=measure("exp000", made[0].measurement.samples[:1], 50.0))
    assert "the seeds are [3], and the rule asks for [3, 4]" in next(check_verdicts(contract, [once])).sentence
    heavy = replace(made[0], measurement=replace(made[0].measurement, memory_mb=500.0))
    assert [finding.code for finding in check_verdicts(contract, [heavy])] == ["guard"]


def test_what_cannot_be_computed_with_is_said() -> None:
    contract, made = history(str(Confirm()), 1)
    huge = Measurement((Sample("exp000", 3, 1.0, 1.7e308), Sample("exp000", 4, 1.0, 1.7e308)), score=1.7e308)
    broken = replace(made[0], measurement=huge)
    assert [finding.code for finding in check_verdicts(contract, [broken])] == ["sample"]
    assert [finding.code for finding in check_alone(contract, broken)] == ["sample"]
    assert [finding.code for finding in check_verdicts(replace(contract, rule="lenient"), made)] == ["contract"]
    assert [finding.code for finding in check_alone(replace(contract, guards=("x",)), made[0])] == ["contract"]
