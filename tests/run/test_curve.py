"""A run's progress, read from what it prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.run.curve import Point, Tenths, point, points


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "step 00012 ( 34.5%) | loss 2.4571 | lr 0.02 | tok/s 81,234 | left 3.0s",
            Point(2.4571, 12, 0.345, 0.02, 81234.0),
        ),
        ("iter 12: train_loss=2.46, lr=1e-4", Point(2.46, 12, None, 1e-4, None)),
        ('{"step": 3, "loss": 2.5, "note": "x", "ok": true}', Point(2.5, 3)),
        ("LOSS: 3", Point(3.0)),
        ("loss nan", None),
        ("loss inf", None),
        ("val_loss: 3", None),
        ('{"loss": 1', None),
        ("[1, 2]", None),
        ("a weird loss of 3 points", None),
        ("(loss=2.5, lr=1e-4)", Point(2.5, rate=1e-4)),
        ("train-loss 2.5", None),
        ("loss 5 seconds 1e308", Point(5.0, seconds=1e308)),
        ("loss 5 seconds inf step nan lr nan", Point(5.0)),
        ("loss " + 9 * "ACDEFGHIKLMNPQRSTVWY" + " 5", None),
        ("", None),
    ],
)
def test_a_line_of_progress(line: str, found: Point | None) -> None:
    assert point(line) == found


@pytest.mark.parametrize("point", [Point(1.0, seconds=1e308), Point(1.0, share=-5.0), Point(1e308, share=0.5)])
def test_any_point_may_be_told(point: Point) -> None:
    tenths = Tenths(1e-300)
    for _ in range(3):
        tenths.take(point)


def test_each_tenth_ends_once_however_long_a_run_goes_on() -> None:
    tenths = Tenths(1.0)
    for second in range(1, 3000):
        tenths.take(Point(2.0, seconds=second / 1000))
    assert [tenth for tenth, _ in tenths.means] == list(range(1, 11))


@given(st.text())
def test_any_line_may_be_printed(line: str) -> None:
    list(points([line, "loss " + line, "{" + line]))
