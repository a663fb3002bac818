"""The verdict: the rules ``single``, ``margin`` and ``confirm``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp.errors import GitexpError
from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import Noise
from gitexp.model import Contract, Direction, Measurement, Notes, ReplicateRequest, Sample, Status, Verdict
from gitexp.verdict.confirm import Confirm
from gitexp.verdict.lead import compare
from gitexp.verdict.margin import Margin
from gitexp.verdict.rules import RULES, check_rule, decide, parse
from tests.bench import decide as bench
from tests.helpers.made_iterations import changed, make_iteration

MIN, MAX = Direction.MINIMIZE, Direction.MAXIMIZE
KEEP, DISCARD, CRASH = Status.KEEP, Status.DISCARD, Status.CRASH
Trainer = Callable[[str, int], float | None]  # the score of a tree with a seed; None: it crashes


def measured(score: float | None, reason: str = "") -> Measurement:
    return Measurement((Sample("exp000", 0, 1.0, score),), score=score, reason=reason)


def ledger(direction: Direction, *scored: tuple[Status, float | None], rule: str = "single", seed: int = 0) -> Ledger:
    contract = Contract("metric", direction, 1.0, 2.0, "train.py", ("train.py",), (), rule, "h", seed)
    iterations = tuple(
        make_iteration(f"exp{number:03d}", "run", "base", "tree", status, "", "", measured(score))
        for number, (status, score) in enumerate(scored)
    )
    return Ledger("name", "tip", contract, IterationTuple(iterations), Notes())


def of(samples: list[Sample], name: str) -> Measurement:
    own = [sample.score for sample in samples if sample.iteration == name]
    return Measurement(tuple(samples), score=None if None in own else own[0])


def begun(trainer: Trainer, rule: str = "confirm", direction: Direction = MIN, runs: int = 3, seed: int = 0) -> Ledger:
    """An experiment after its baseline, which is run so many times."""
    empty = ledger(direction, (KEEP, 0.0), rule=rule, seed=seed)
    samples = [Sample("exp000", s, 1.0, trainer("exp000", s)) for s in range(seed, seed + runs)]
    return replace(empty, iterations=IterationTuple((changed(empty.baseline, measurement=of(samples, "exp000")),)))


def step(before: Ledger, trainer: Trainer) -> tuple[Ledger, list[ReplicateRequest]]:
    """The next step until its verdict, and what was asked for on the way."""
    name, seed = before.next_id, before.contract.seed
    samples, asked = [Sample(name, seed, 1.0, trainer(name, seed))], list[ReplicateRequest]()
    while isinstance(said := decide(before, of(samples, name)), ReplicateRequest):
        asked.append(said)
        samples.append(Sample(said.of, said.seed, 1.0, trainer(said.of, said.seed)))
    done = make_iteration(name, "run", "base", "tree", said.status, "", said.reason, of(samples, name))
    return replace(before, iterations=before.iterations.plus([done])), asked


def steps(trainer: Trainer, number: int, **how: object) -> tuple[Ledger, list[list[ReplicateRequest]]]:
    state, asked = begun(trainer, **how), []  # type: ignore[arg-type]
    for _ in range(number):
        state, of_step = step(state, trainer)
        asked.append(of_step)
    return state, asked


def table(scores: dict[str, list[float | None]]) -> Trainer:
    return lambda name, seed: scores[name][seed]


@pytest.mark.parametrize(
    ("direction", "incumbent", "score", "status", "reason"),
    [
        (MIN, 2.0, 1.5, KEEP, "better than exp000 (2.000000) by 0.500000"),
        (MIN, 2.0, 2.5, DISCARD, "worse than exp000 (2.000000) by 0.500000"),
        (MIN, 2.0, 2.0, DISCARD, "equal to exp000 (2.000000)"),
        (MAX, 2.0, 2.5, KEEP, "better than exp000 (2.000000) by 0.500000"),
        (MAX, 2.0, 1.5, DISCARD, "worse than exp000 (2.000000) by 0.500000"),
        (MAX, 2.0, 2.0, DISCARD, "equal to exp000 (2.000000)"),
        (MIN, 0.0, -1e-9, KEEP, "better than exp000 (0.000000) by 1e-09"),
        (MAX, 0.0, -1e-9, DISCARD, "worse than exp000 (0.000000) by 1e-09"),
        (MIN, -1.0, -2.0, KEEP, "better than exp000 (-1.000000) by 1.000000"),
        (MIN, 5e-324, 0.0, KEEP, "better than exp000 (4.94066e-324) by 4.94066e-324"),
        (MIN, 0.0, -0.0, DISCARD, "equal to exp000 (0.000000)"),
        (MIN, 1e308, -1e308, KEEP, "better than exp000 (1e+308) by inf"),
    ],
)
def test_single_keeps_what_is_strictly_better(
    direction: Direction, incumbent: float, score: float, status: Status, reason: str
) -> None:
    assert decide(ledger(direction, (KEEP, incumbent)), measured(score)) == Verdict(status, reason)


def test_a_number_that_is_not_finite_is_left_out() -> None:
    """No trailer and no JSON could hold it."""
    verdict = decide(ledger(MIN, (KEEP, 1e308)), measured(-1e308))
    assert isinstance(verdict, Verdict)
    assert (verdict.status, verdict.delta, verdict.lead) == (KEEP, None, None)
    single = decide(ledger(MIN, (KEEP, 2.0)), measured(1.5))
    assert isinstance(single, Verdict)
    assert (single.delta, single.lead, single.noise, single.evidence) == (-0.5, 0.5, None, None)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("direction", Direction)
def test_no_score_is_a_crash_for_the_reason_measured(direction: Direction, rule: str) -> None:
    history = ledger(direction, (KEEP, 2.0), rule="margin 0.1" if rule == "margin" else rule)
    assert decide(history, measured(None, "exit 1: ValueError")) == Verdict(CRASH, "exit 1: ValueError")


def test_the_candidate_meets_the_last_keep() -> None:
    history = ledger(MIN, (KEEP, 2.0), (KEEP, 1.0), (DISCARD, 1.5), (CRASH, None))
    assert decide(history, measured(1.25)) == Verdict(DISCARD, "worse than exp001 (1.000000) by 0.250000")
    assert decide(history, measured(0.75)) == Verdict(KEEP, "better than exp001 (1.000000) by 0.250000")


@pytest.mark.parametrize("direction", Direction)
def test_margin_keeps_what_is_better_by_more(direction: Direction) -> None:
    history = ledger(direction, (KEEP, 2.0), rule="margin 0.25")
    sign = 1 if direction is MAX else -1
    lead = {
        0.5: Verdict(KEEP, "better than exp000 (2.000000) by 0.500000"),
        0.25: Verdict(DISCARD, "better than exp000 (2.000000) by 0.250000, not more than 0.25"),
        0.0: Verdict(DISCARD, "equal to exp000 (2.000000)"),
        -0.5: Verdict(DISCARD, "worse than exp000 (2.000000) by 0.500000"),
    }
    assert {by: decide(history, measured(2.0 + sign * by)) for by in lead} == lead


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("single", Margin(0.0)),
        ("margin 0.01", Margin(0.01)),
        ("margin 1e-3", Margin(0.001)),
        ("confirm", Confirm()),
        ("confirm replicates=5", Confirm(replicates=5)),
        ("confirm  drop=0 strict=2", Confirm(strict=2.0, drop=0.0)),
    ],
)
def test_a_rule_is_read_and_written_with_all_its_parameters(text: str, rule: Margin | Confirm) -> None:
    assert parse(text) == rule
    assert parse(str(rule)) == rule
    assert str(parse("confirm")).split()[1:] == [f"{name}={getattr(Confirm(), name)}" for name in Confirm.__slots__]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "this gitexp knows: single, margin, or confirm"),
        ("sprt", "this gitexp knows: single, margin, or confirm"),
        ("single 3", "it is written 'single', or 'margin 0.01'"),
        ("margin", "it is written 'single', or 'margin 0.01'"),
        ("margin 1 2", "it is written 'single', or 'margin 0.01'"),
        ("margin -1", "'-1' is not a number from 0 up"),
        ("margin nan", "'nan' is not a number from 0 up"),
        ("confirm 3", "'3' is not a parameter of it"),
        ("confirm runs=3", "'runs=3' is not a parameter of it"),
        ("confirm strict=2 strict=3", "stands twice"),
        ("confirm strict=", "'' is not a number from 0 up"),
        ("confirm strict=inf", "'inf' is not a number from 0 up"),
        ("confirm replicates=1", "replicates is a whole number, 2 or more"),
        ("confirm replicates=2.5", "replicates is a whole number, 2 or more"),
        ("confirm strict=0.5", "strict is more than drop"),
    ],
)
def test_a_rule_that_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(GitexpError) as error:
        check_rule(ledger(MIN, (KEEP, 1.0), rule=text).contract)
    assert why in error.value.sentence
    assert error.value.hint


BASELINE: list[float | None] = [1.00, 1.02, 0.98]


@pytest.mark.parametrize(
    ("scores", "status", "asked", "reason"),
    [
        ([1.5], DISCARD, [], "worse than exp000 by 0.500000 (1 run against 3, noise "),
        ([1.0], DISCARD, [], "equal to exp000 (1 run against 3, noise "),
        ([1.001], DISCARD, [], "no clear difference from exp000: worse by 0.001 (1 run against 3, noise "),
        ([0.995], DISCARD, [], "no clear difference from exp000: better by 0.005000 (1 run against 3, noise "),
        ([0.5], KEEP, [], "better than exp000 by 0.500000 (1 run against 3, noise "),
        ([0.96, 1.2], DISCARD, [1], "worse than exp000 by 0.080000 (2 runs against 3, noise "),
        ([0.96, 0.8], KEEP, [1], "better than exp000 by 0.120000 (2 runs against 3, noise "),
        ([0.96, 0.98, 0.94], KEEP, [1, 2], "better than exp000 by 0.040000 (3 runs against 3, noise "),
        ([0.97, 0.99, 0.99], DISCARD, [1, 2], "no clear difference from exp000: better by 0.016667 (3 runs against 3"),
    ],
)
@pytest.mark.parametrize("direction", Direction)
def test_confirm_runs_a_promising_candidate_until_the_evidence_decides(
    scores: list[float | None], status: Status, asked: list[int], reason: str, direction: Direction
) -> None:
    sign = 1 if direction is MIN else -1
    trainer = table({"exp000": [sign * score for score in BASELINE], "exp001": [sign * score for score in scores]})
    state, said = steps(trainer, 1, direction=direction)
    assert [(again.of, again.seed) for again in said[0]] == [("exp001", seed) for seed in asked]
    assert state.iterations[-1].status is status
    assert state.iterations[-1].reason.startswith(reason)


def test_it_says_what_it_asks_for_and_why() -> None:
    trainer = table({"exp000": [1.00, 1.02, 1.03], "exp001": [0.96, 0.97, 0.98]})
    _, asked = steps(trainer, 1, runs=2)
    assert asked[0][0] == ReplicateRequest("exp001", 1, "promising: run 2 of 3, seed 1")
    assert asked[0][1] == ReplicateRequest("exp000", 2, "promising, and exp000 may have been lucky: run 3 of 3, seed 2")


def test_the_incumbent_is_run_again_by_every_step_that_needs_it_until_its_replicates_are_used_up() -> None:
    runs = {"exp000": BASELINE, "exp001": [0.50, 0.54, 0.53], "exp002": [0.47, 0.57, 0.53], "exp003": [0.48, 0.5, 0.53]}
    state, asked = steps(table(runs), 3)
    assert [[(again.of, again.seed) for again in of_step] for of_step in asked] == [
        [],
        [("exp001", 1), ("exp002", 1)],
        [("exp003", 1), ("exp001", 2), ("exp003", 2)],
    ]
    assert state.replicates()["exp001"] == {0: 0.50, 1: 0.54, 2: 0.53}
    assert state.replicates(Measurement((Sample("exp001", 7, 1.0, None),)))["exp001"][7] is None


def test_a_replicate_that_crashes_crashes_the_candidate() -> None:
    state, asked = steps(table({"exp000": BASELINE, "exp001": [0.96, None]}), 1)
    assert (state.iterations[-1].status, state.iterations[-1].reason) == (CRASH, "a replicate crashed")
    assert len(asked[0]) == 1


def test_a_crashed_replicate_of_the_incumbent_is_left_out_and_not_made_again() -> None:
    trainer = table({"exp000": [1.00, 1.02, None], "exp001": [0.97, 0.99, 0.95], "exp002": [0.97, 0.99, 0.95]})
    state, asked = steps(trainer, 2, runs=2)
    of_incumbent = [again.seed for of_step in asked for again in of_step if again.of == "exp000"]
    assert of_incumbent == [2]
    assert state.replicates()["exp000"] == {0: 1.00, 1: 1.02, 2: None}


def test_nothing_is_said_before_a_tree_has_two_runs() -> None:
    state = begun(table({"exp000": [1.0]}), runs=1)
    one_run = of([Sample("exp001", 0, 1.0, 0.5)], "exp001")
    assert decide(state, one_run) == ReplicateRequest(
        "exp000", 1, "promising, and exp000 may have been lucky: run 2 of 3, seed 1"
    )
    crashed = [Sample("exp000", 1, 1.0, None), Sample("exp000", 2, 1.0, None)]
    verdict = decide(state, replace(one_run, samples=(*one_run.samples, *crashed)))
    assert isinstance(verdict, Verdict)
    assert verdict.status is DISCARD


@pytest.mark.parametrize("direction", Direction)
def test_a_trainer_without_noise_is_judged_as_by_single(direction: Direction) -> None:
    levels = [0.3, 0.1 + 0.2, 0.3 - 1e-15, 0.3, 0.2, 0.1, 0.4, 0.1]

    def trainer(name: str, seed: int) -> float:
        return levels[int(name[3:])]

    confirmed, asked = steps(trainer, len(levels) - 1, direction=direction, runs=2)
    single, _ = steps(trainer, len(levels) - 1, direction=direction, rule="single")
    assert asked == [[]] * (len(levels) - 1)
    assert [i.status for i in confirmed.iterations] == [i.status for i in single.iterations]


def test_extreme_scores_are_no_error() -> None:
    extremes: list[float | None] = [1e308, -1e308, 5e-324, 0.0]
    for baseline in extremes:
        for score in extremes:
            steps(table({"exp000": [baseline, 1.0, 2.0], "exp001": [score, score, score]}), 1)


def test_pairing_counts_as_far_as_the_history_bears_it_out() -> None:
    theirs = {0: 0.0, 1: 1.0, 2: -1.0}
    unpaired = Noise(squares=10.0, freedom=10)
    shared, own = replace(unpaired, paired=0.2, pairs=10), replace(unpaired, paired=20.0, pairs=10)
    assert (unpaired.own, own.own) == (1.0, 1.0)
    assert shared.own == pytest.approx((0.1 + 2) / 12)
    mine = {1: 1.4}
    assert compare(mine, theirs, shared).by < 0.65 < compare(mine, theirs, own).by
    assert compare(mine, theirs, shared).noise < compare(mine, theirs, own).noise
    assert compare(mine, theirs, own).noise == pytest.approx(math.sqrt(1 + 1 / 3))


def test_a_noise_known_from_few_runs_is_weaker_evidence() -> None:
    leads = [compare({0: 2.0}, {0: 0.0}, Noise(squares=n, freedom=n)).evidence for n in (1, 2, 5, 1000)]
    assert leads == sorted(leads)
    assert leads[-1] == pytest.approx(math.sqrt(2), rel=1e-3)


EXACT = st.integers(-128, 128).map(lambda n: n / 64)  # sums, halves and doubles of these are exact
RUNS = st.lists(EXACT, min_size=3, max_size=3)
TREES = st.lists(RUNS, min_size=2, max_size=6)


def trainer_of(trees: list[list[float]], scale: float = 1.0, shift: float = 0.0) -> Trainer:
    return lambda name, seed: trees[int(name[3:])][seed] * scale + shift


def course(trees: list[list[float]], scale: float = 1.0, shift: float = 0.0, direction: Direction = MIN) -> object:
    state, asked = steps(trainer_of(trees, scale, shift), len(trees) - 1, direction=direction)
    return [
        (i.status, [(a.of, a.seed) for a in on_the_way])
        for i, on_the_way in zip(state.iterations[1:], asked, strict=True)
    ]


@settings(deadline=None)
@given(TREES, st.sampled_from([0.25, 2.0, 1024.0]), st.integers(-8, 8))
def test_neither_the_scale_nor_the_origin_of_the_scores_matters(
    trees: list[list[float]], scale: float, shift: int
) -> None:
    assert course(trees) == course(trees, scale=scale) == course(trees, shift=float(shift))
    assert course(trees) == course(trees, scale=-1.0, direction=MAX)


@settings(deadline=None)
@given(TREES, st.integers(2, 4), st.integers(0, 3))
def test_a_step_ends_and_never_repeats_a_seed(trees: list[list[float]], replicates: int, seed: int) -> None:
    def trainer(name: str, of_seed: int) -> float:
        return trees[int(name[3:])][of_seed % 3] + of_seed / 64

    rule = f"confirm replicates={replicates}"
    state, asked = steps(trainer, len(trees) - 1, rule=rule, runs=2, seed=seed)
    seen = [(s.iteration, s.seed) for i in state.iterations for s in i.measurement.samples]
    assert len(seen) == len(set(seen))
    assert {s for _, s in seen} <= set(range(seed, seed + replicates))
    assert all(len(of_step) + 1 <= 2 * replicates for of_step in asked)
    again, _ = steps(trainer, len(trees) - 1, rule=rule, runs=2, seed=seed)
    assert state == again


@settings(deadline=None)
@given(TREES, RUNS)
def test_equal_is_never_kept(trees: list[list[float]], runs: list[float]) -> None:
    state, _ = steps(trainer_of(trees), len(trees) - 1)
    incumbent = state.incumbent.id
    recorded = state.replicates()[incumbent]
    state, _ = step(state, lambda name, seed: recorded.get(seed, runs[seed]))
    assert state.iterations[-1].status is DISCARD


@settings(max_examples=300, deadline=None)
@given(TREES, st.integers(1, 64))
def test_a_better_run_of_the_candidate_never_costs_it_the_keep(trees: list[list[float]], better: int) -> None:
    state, _ = steps(trainer_of(trees), len(trees) - 1)
    for at, iteration in enumerate(state.iterations[1:], 1):
        before = replace(state, iterations=state.iterations.before(at))
        for place, sample in enumerate(iteration.measurement.samples):
            if iteration.status is KEEP and sample.iteration == iteration.id and sample.score is not None:
                samples = list(iteration.measurement.samples)
                samples[place] = replace(sample, score=sample.score - better / 64)
                verdict = decide(before, of(samples, iteration.id))
                assert isinstance(verdict, Verdict)
                assert verdict.status is KEEP


@pytest.mark.parametrize("shared", [True, False])
def test_the_simulation_is_of_these_verdicts(shared: bool) -> None:
    """Its loop over the core of the rule asks for the same runs and keeps the same candidates as decide() does."""
    world = bench.World(0.3, 1.5, shared)

    def by_ledger(trial: bench.Trial) -> None:
        def trainer(name: str, seed: int) -> float:
            return trial.candidate(seed) if name == state.next_id else trial.incumbent(seed)

        state = begun(lambda _, seed: trial.incumbent(seed), direction=MAX)
        while True:
            state, _ = step(state, trainer)
            trial.judged(state.iterations[-1].status is KEEP)

    def played(rule: bench.Rule) -> bench.Trial:
        trial = bench.Trial(world, 150, np.random.default_rng(1))
        with pytest.raises(bench.SpentError):
            rule(trial)
        return trial

    simulated, decided = played(bench.confirm(Confirm())), played(by_ledger)
    assert simulated.kept == decided.kept
    assert simulated.candidates == decided.candidates
    assert simulated.kept
