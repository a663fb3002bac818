"""What a sweep tries next, from the space and the ledger alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp.errors import GitexpError
from gitexp.ledger.iterations import IterationTuple
from gitexp.ledger.ledger import Ledger
from gitexp.model import Direction, Measurement, Notes, Sample, Status
from gitexp.sweep import strategies
from gitexp.sweep.space import Choices, Range, Setting, Space, parse
from gitexp.sweep.strategies import GRID, ONE_AT_A_TIME, RANDOM, TPE
from tests.helpers.iterations import BASELINE, CONTRACT, CRASH
from tests.helpers.made_iterations import changed

PURE = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def ledger(*tried: tuple[Mapping[str, str], float | None], name: str = "train") -> Ledger:
    """One iteration for each setting and its score, none of them kept."""
    iterations = [BASELINE]
    for number, (setting, score) in enumerate(tried, 1):
        identity = f"exp{number:03d}"
        measured = Measurement((Sample(identity, 7, 1.0, score),), score=score)
        status = Status.CRASH if score is None else Status.DISCARD
        iterations.append(
            changed(CRASH, id=identity, status=status, measurement=measured, params=tuple(setting.items()))
        )
    return Ledger(name, "c" * 40, CONTRACT, IterationTuple(tuple(iterations)), Notes())


def tried(known: Ledger) -> list[Setting]:
    return [dict(iteration.candidate.params) for iteration in known.iterations if iteration.candidate.params]


def next_setting(space: Space, kind: str, known: Ledger) -> Setting | None:
    return strategies.next_setting(space, kind, known, tried(known))


def remaining(space: Space, kind: str, known: Ledger, skipped: Sequence[Setting] = ()) -> list[Setting]:
    return list(strategies.remaining(space, kind, [*tried(known), *skipped]))


def space(*asked: str, **held: str) -> Space:
    """``asked``, where the baseline has the values ``held``."""
    return Space(tuple(map(parse, asked)), {"exp000": held})


def all_of(searched: Space, kind: str) -> list[Setting]:
    """What is tried, one after another, until nothing is left."""
    tried: list[tuple[Setting, float | None]] = []
    while setting := next_setting(searched, kind, ledger(*tried)):
        tried.append((setting, 3.0))
    return [setting for setting, _ in tried]


# -- the space ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "dimension"),
    [
        ("DEPTH=2,4,8", Choices("DEPTH", ("2", "4", "8"))),
        ("DEPTH= 2 , 4 ", Choices("DEPTH", ("2", "4"))),
        ("DEPTH=4", Choices("DEPTH", ("4",))),
        ("LR=1e-3,0.001,1e-2", Choices("LR", ("1e-3", "1e-2"))),
        ("BETAS=(0.8,0.95),(0.9,0.99)", Choices("BETAS", ("(0.8,0.95)", "(0.9,0.99)"))),
        ("X=[{'a': (1,2)}],[3]", Choices("X", ("[{'a': (1,2)}]", "[3]"))),
        ("X='a,b',\"c,(d\",'it\\'s,'", Choices("X", ("'a,b'", '"c,(d"', "'it\\'s,'"))),
        ("OPT=adam,sgd", Choices("OPT", ("adam", "sgd"))),
        ("P=../a,../b", Choices("P", ("../a", "../b"))),
        ("X=a=b", Choices("X", ("a=b",))),
        ("train.py:DEPTH=2..8", Range("train.py:DEPTH", 2, 8)),
        ("optimizer.lr=1e-4..1e-2:log", Range("optimizer.lr", 1e-4, 1e-2, log=True)),
        ("X=-1.5..+2", Range("X", -1.5, 2)),
        ("X=.5..1", Range("X", 0.5, 1)),
        ("X=1_000..2_000", Range("X", 1000, 2000)),
    ],
)
def test_a_space_is_read_as_it_is_written(asked: str, dimension: Choices | Range) -> None:
    assert parse(asked) == dimension


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("DEPTH", "is not a constant with values to try"),
        ("DEPTH=", "is not a constant with values to try"),
        ("=2", "is not a constant with values to try"),
        ("DEPTH=2,,4", "One of the values of DEPTH is empty"),
        ("DEPTH=2,", "One of the values of DEPTH is empty"),
        ("B=(1,2", r"The values of B lack a closing \)"),
        ("B='a", "The values of B lack a closing '"),
        ("X=8..2", "is not a range: the lower end comes first"),
        ("X=2..2", "is not a range"),
        ("X=0..2:log", "a logarithm takes numbers above 0"),
        ("X=1..1e999", "too large"),
        ("X=1\n2", "is not one line of plain text"),
        ("X=\x1b[31m", "is not one line of plain text"),
    ],
)
def test_what_is_no_space_is_refused(asked: str, words: str) -> None:
    with pytest.raises(GitexpError, match=words) as refused:
        parse(asked)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("asked", "values"),
    [
        ("X=1..9", "1 3 5 7 9"),
        ("X=1..3", "1 2 3"),
        ("X=2..32:log", "2 4 8 16 32"),
        ("X=0.0..1", "0.0 0.25 0.5 0.75 1.0"),
        ("X=1e-4..1:log", "0.0001 0.001 0.01 0.1 1.0"),
    ],
)
def test_a_range_stands_for_five_values(asked: str, values: str) -> None:
    assert list(parse(asked).values) == values.split()


@PURE
@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9), st.floats(0, 1))
def test_a_value_of_a_range_is_within_it_however_it_is_rounded(low: float, width: float, share: float) -> None:
    if low + width > low:
        range_ = Range("X", low, low + width)
        assert range_.chosen(range_.text(low + share * width)) is not None
        assert all(range_.chosen(value) is not None for value in range_.values)


def test_the_message_names_what_changes() -> None:
    searched = space("DEPTH=4", "LR=0.3", DEPTH="2", LR="0.1")
    assert searched.message({"DEPTH": "4"}) == "DEPTH 2 -> 4"
    assert searched.message({"DEPTH": "4", "LR": "0.3"}) == "DEPTH 2 -> 4, LR 0.1 -> 0.3"
    assert searched.message({"DEPTH": "4", "LR": "1e-1"}) == "DEPTH 2 -> 4"


# -- one at a time -----------------------------------------------------------------------------------------------------


def test_one_at_a_time_tries_each_value_but_the_incumbents() -> None:
    searched = space("DEPTH=2,4,8", "LR=0.1,0.3", DEPTH="2", LR="1e-1")
    assert all_of(searched, ONE_AT_A_TIME) == [{"DEPTH": "4"}, {"DEPTH": "8"}, {"LR": "0.3"}]


def test_what_an_earlier_incumbent_had_or_a_sweep_tried_is_not_tried_again() -> None:
    searched = Space((parse("DEPTH=2,4,8,16"),), {"exp000": {"DEPTH": "2"}, "exp002": {"DEPTH": "8"}})
    known = ledger(({"DEPTH": "4.0"}, None), ({"DEPTH": "8"}, 2.0))
    assert remaining(searched, ONE_AT_A_TIME, known) == [{"DEPTH": "16"}]
    assert remaining(searched, ONE_AT_A_TIME, known, [{"DEPTH": "16"}]) == []


def test_a_setting_of_several_constants_is_none_of_one() -> None:
    searched = space("DEPTH=4", "LR=0.3", DEPTH="2", LR="0.1")
    known = ledger(({"DEPTH": "4", "LR": "0.3"}, 3.0))
    assert next_setting(searched, ONE_AT_A_TIME, known) == {"DEPTH": "4"}
    assert remaining(searched, GRID, known) == []


# -- grid --------------------------------------------------------------------------------------------------------------


def test_grid_is_the_product_in_order() -> None:
    searched = space("DEPTH=2,4", "LR=0.1,0.3", DEPTH="2", LR="0.1")
    tried = [("2", "0.3"), ("4", "0.1"), ("4", "0.3")]
    assert all_of(searched, GRID) == [{"DEPTH": depth, "LR": lr} for depth, lr in tried]


# -- random ------------------------------------------------------------------------------------------------------------


def test_random_is_the_same_for_the_same_experiment_and_iteration() -> None:
    searched = space("LR=1e-4..1:log", "DEPTH=1..100", LR="0.1", DEPTH="2")
    first = next_setting(searched, RANDOM, ledger())
    assert first == next_setting(searched, RANDOM, ledger())
    assert first != next_setting(searched, RANDOM, ledger(name="other"))
    assert first != next_setting(searched, RANDOM, ledger((first or {}, 3.0)))
    assert first != next_setting(searched, RANDOM, replace(ledger(), contract=replace(CONTRACT, seed=8)))


def test_random_comes_to_an_end_where_all_is_tried() -> None:
    tried = all_of(space("A=1..4", "B=x,y", A="1", B="x"), RANDOM)
    assert sorted((setting["A"], setting["B"]) for setting in tried) == [
        (a, b) for a in "1234" for b in "xy" if (a, b) != ("1", "x")
    ]


def test_random_draws_from_the_whole_of_a_range() -> None:
    searched = space("A=1..4:log", A="0")
    drawn = [next_setting(searched, RANDOM, ledger(name=str(number))) for number in range(60)]
    assert {setting["A"] for setting in drawn if setting} == {"1", "2", "3", "4"}


# -- tpe ---------------------------------------------------------------------------------------------------------------

TOY = space("LR=1e-4..1:log", "DEPTH=1..12", "OPT=adam,sgd,lion", LR="0.1", DEPTH="2", OPT="adam")


def toy(count: int) -> Ledger:
    """A history of random settings and what they scored."""
    tried: list[tuple[Setting, float | None]] = []
    for number in range(count):
        setting = next_setting(TOY, RANDOM, ledger(*tried)) or {}
        score = (float(setting["LR"]) - 0.3) ** 2 + abs(int(setting["DEPTH"]) - 6) / 10 + len(setting["OPT"]) / 100
        tried.append((setting, None if number % 5 == 4 else score))
    return ledger(*tried)


@pytest.mark.parametrize("count", [0, 12, 30])
def test_tpe_suggests_within_the_space_and_the_same_for_the_same_history(count: int) -> None:
    suggested = next_setting(TOY, TPE, toy(count))
    assert suggested is not None
    assert suggested == next_setting(TOY, TPE, toy(count))
    assert all(dimension.chosen(suggested[dimension.name]) is not None for dimension in TOY.dimensions)
    assert suggested not in [dict(iteration.candidate.params) for iteration in toy(count).iterations]


def test_tpe_learns_from_scores_in_the_direction_of_the_contract() -> None:
    low, high = (
        next_setting(TOY, TPE, replace(toy(30), contract=replace(CONTRACT, direction=direction)))
        for direction in Direction
    )
    assert low != high


def test_tpe_leaves_out_what_is_out_of_the_space_and_takes_what_a_part_of_it_says() -> None:
    known = ledger(
        ({"LR": "7.0", "DEPTH": "3"}, 1.0),
        ({"LR": "7.0"}, 1.1),
        ({"OPT": '"rmsprop"', "DEPTH": "2.5", "LR": "adam"}, 1.2),
        ({"OTHER": "7"}, 1.3),
        ({}, 1.4),
    )
    assert next_setting(TOY, TPE, known) is not None


def test_tpe_comes_to_an_end_where_all_is_tried() -> None:
    tried = all_of(space("A=1..3", "B=x,y", A="1", B="x"), TPE)
    assert len(tried) == 5
    assert len({tuple(setting.items()) for setting in tried}) == 5


def test_without_optuna_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(GitexpError, match="The search tpe needs optuna, which is not installed") as refused:
        next_setting(TOY, TPE, ledger())
    assert refused.value.hint == "pip install 'gitexp[sweep]'"
    assert next_setting(TOY, RANDOM, ledger()) is not None
