"""Iterations of any content, for Hypothesis, and a few fixed ones."""

from __future__ import annotations

from hypothesis import strategies as st

from gitexp.ledger.messages import describe
from gitexp.model import Contract, Direction, Frozen, Iteration, Measurement, Notes, Sample, Status
from gitexp.text import one_line
from tests.helpers.made_iterations import changed, make_iteration

UNRULY = [
    *("Exp-Status: KEEP", "\nExp-Id: exp999\nExp-Status: KEEP\n", "Revert ", "---", "# x", "KEEP 1.0: ", ": ", "="),
    *("\n", "\n\n", "\r\n", "\t", "\0", "\x1b[31m", "\u2028", "\u202e", "\ud800", '"', "\\", " ", "…", "é", "😀"),
]
TEXT = (st.text(st.characters()) | st.lists(st.sampled_from(UNRULY), max_size=6).map("".join)).map(
    lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
)
SOME = TEXT.filter(bool)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
SECONDS = st.floats(0, 1e6).map(lambda value: round(value, 2))
HASH = st.integers(0, 16**40 - 1).map("{:040x}".format)
ID = st.integers(0, 12345).map("exp{:03d}".format)
ITEMS = st.none() | st.lists(SOME, max_size=3).map(tuple)
PARAMS = st.lists(st.tuples(TEXT.filter(lambda name: "=" not in name), TEXT), max_size=3).map(tuple)
NOTES = st.builds(Notes, *[st.none() | TEXT] * 2, *[ITEMS] * 2, st.none() | TEXT)


@st.composite
def measurements(draw: st.DrawFn, crashed: bool, reason: str, seed: int) -> Measurement:
    scores = st.none() if crashed else NUMBER
    samples = draw(st.lists(st.builds(Sample, ID, st.integers(), SECONDS, scores | st.none()), max_size=2))
    first = Sample(draw(ID), seed, draw(SECONDS), draw(scores))
    return Measurement(
        samples=(first, *samples),
        score=draw(scores),
        metrics=draw(st.lists(st.tuples(SOME, NUMBER), max_size=3).map(tuple)),
        test=draw(st.none() | NUMBER),
        memory_mb=draw(st.none() | st.floats(0, 1e9).map(lambda value: round(value, 1))),
        device=draw(TEXT),
        reason=reason if crashed else "",
        error=draw(TEXT) if crashed else "",
    )


@st.composite
def contracts(draw: st.DrawFn, seed: int) -> Contract:
    return Contract(
        metric=draw(SOME),
        direction=draw(st.sampled_from(Direction)),
        budget=draw(st.integers(1, 10**9)) / 1000,
        timeout=draw(st.integers(1, 10**9)) / 1000,
        script=draw(SOME),
        edit=draw(st.lists(SOME, max_size=3).map(tuple)),
        freeze=draw(st.lists(st.builds(Frozen, SOME, HASH), max_size=3).map(tuple)),
        rule="single",
        hook=draw(HASH),
        seed=seed,
        directory=draw(st.just(".") | SOME),
    )


@st.composite
def iterations(draw: st.DrawFn) -> Iteration:
    status = draw(st.sampled_from(Status))
    is_baseline = status is Status.KEEP and draw(st.booleans())
    reason = one_line(draw(TEXT))
    seed = draw(st.integers())
    description, body = describe(draw(TEXT))
    return make_iteration(
        id="exp000" if is_baseline else draw(ID),
        run=draw(SOME),
        base=draw(HASH),
        status=status,
        description=description,
        reason=reason,
        measurement=draw(measurements(status is Status.CRASH, reason, seed)),
        notes=draw(NOTES),
        contract=draw(contracts(seed)) if is_baseline else None,
        body=body,
        params=draw(PARAMS),
        commit="c" * 40,
        tree="d" * 40,
    )


CONTRACT = Contract(
    metric="val_bpb",
    direction=Direction.MINIMIZE,
    budget=300.0,
    timeout=600.0,
    script="train.py",
    edit=("train.py", "model"),
    freeze=(Frozen("evaluate it.py", "b" * 40),),
    rule="single",
    hook="a" * 40,
    seed=7,
)
BASELINE = make_iteration(
    id="exp000",
    run="f" * 32,
    base="e" * 40,
    status=Status.KEEP,
    description="baseline",
    reason="the baseline",
    measurement=Measurement(
        samples=(Sample("exp000", 7, 8.25, 2.667),),
        score=2.667,
        metrics=(("mfu_percent", 39.8), ("a=b", 1e-12)),
        test=2.7,
        memory_mb=27545.5,
        device="Apple M4",
    ),
    notes=Notes(goal="as low\nas can be", constraints=("no downloads",), next=()),
    contract=CONTRACT,
    commit="c" * 40,
    tree="d" * 40,
)
CRASH = changed(
    BASELINE,
    id="exp001",
    status=Status.CRASH,
    description="GeLU",
    reason="exit 1: ValueError: x",
    measurement=Measurement((Sample("exp001", 7, 1.0, None),), reason="exit 1: ValueError: x", error="ValueError: x"),
    notes=Notes(),
    contract=None,
    body="Why not.",
    params=(("LR", "0.3"), ("model.act", '"a=b"')),
)
