"""``plot``: the running best in the terminal, and as a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gitexp.run.curve import Point
from gitexp.views.terminal_plot import loss, running_best
from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of


def test_the_running_best_is_a_falling_step(three_kept: Path) -> None:
    lines = running_best(ledger_of(three_kept), 60, 12)
    assert sum("●" in line for line in lines) == 3
    assert not any("·" in line for line in lines)  # 24 is far off


def test_a_curve_needs_two_points() -> None:
    assert loss([Point(3.0)], 60, 10) == []
    assert len(loss([Point(3.0), Point(2.0)], 60, 10)) > 3


@pytest.mark.slow  # matplotlib
def test_a_picture_in_each_format(three_kept: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    for ending, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        file = tmp_path / f"best{ending}"
        assert gitexp("plot", "-o", str(file)).stdout == f"{file}\n"
        assert file.read_bytes().startswith(start)
    svg = (tmp_path / "best.svg").read_bytes()
    gitexp("plot", "-o", str(tmp_path / "best.svg"))
    assert (tmp_path / "best.svg").read_bytes() == svg
    refused = gitexp("plot", "-o", "best.gif", code=1).stderr
    assert "Cannot write best.gif: use .png, .svg or .pdf." in refused
    assert "●" in gitexp("plot").stdout


def test_without_matplotlib_the_picture_says_what_to_install(
    three_kept: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'gitexp[plot]'" in gitexp("plot", "-o", "x.png", code=1).stderr
