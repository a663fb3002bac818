"""Watching: a page that is read from files and history, and disturbs nothing."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.cli.watch import page
from gitexp.git.repository import Repository
from gitexp.iteration import status
from gitexp.run.curve import Point, Tenths, point, points
from gitexp.views.terminal_plot import loss, running_best
from tests.helpers.command_line import Gitexp
from tests.helpers.experiments import make_experiment
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import start_loop, wait_for
from tests.helpers.proposers import BETTER, proposes
from tests.helpers.repositories import Once, set_lr


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


@pytest.fixture
def lived(once: Once, gitexp: Gitexp) -> Path:
    def live(folder: Path) -> None:
        make_experiment(folder, gitexp)
        for value in (0.2, 5, 0.25):
            set_lr(folder, value)
            gitexp("step", "-m", f"LR {value}")

    return once("watched", live)


def test_a_page_when_nothing_runs(lived: Path, gitexp: Gitexp) -> None:
    text = gitexp("watch").stdout
    assert text.startswith("exp/train: lowest val_bpb\n4 iterations: 3 KEEP, 1 DISCARD, 0 CRASH; val_bpb\n")
    assert "incumbent exp003 2.002500: LR 0.25" in text
    assert "Nothing is running." in text
    assert "●" in text
    assert text.rstrip().splitlines()[-1].startswith("exp003  KEEP")


@pytest.mark.parametrize("size", [(20, 3), (40, 10), (80, 24), (200, 60)])
def test_a_page_fits_its_terminal(size: tuple[int, int], lived: Path) -> None:
    width, height = size
    lines = page(status.look(Repository.discover(lived), "train"), width, height)
    assert len(lines) <= height
    if width >= 80:
        assert max(map(len, lines)) <= width


def test_the_running_best_is_a_falling_step(lived: Path) -> None:
    lines = running_best(ledger_of(lived), 60, 12)
    assert sum("●" in line for line in lines) == 3
    assert not any("·" in line for line in lines)  # 24 is far off


def test_a_picture_in_each_format(lived: Path, gitexp: Gitexp, tmp_path: Path) -> None:
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
    lived: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'gitexp[plot]'" in gitexp("plot", "-o", "x.png", code=1).stderr


def test_a_curve_needs_two_points() -> None:
    assert loss([Point(3.0)], 60, 10) == []
    assert len(loss([Point(3.0), Point(2.0)], 60, 10)) > 3


def test_the_run_of_a_loop_is_seen_from_outside(folder: Path, tmp_path: Path, gitexp: Gitexp, runs: Path) -> None:
    hook_that(
        folder,
        'echo "step 1 (10%) | loss 3.0"; echo "step 2 (50%) | loss 2.5"; touch "$RUNS"\n'
        'while [ -e "$RUNS.wait" ]; do sleep 0.02; done\n"$GITEXP_OWN_PYTHON" train.py\n',
    )
    gitexp("init", "--budget", "5", "--rule", "single")
    runs.unlink()
    Path(f"{runs}.wait").touch()
    process = start_loop(folder, "--steps", "1", *proposes(tmp_path / "proposer.py", BETTER))
    wait_for(runs)
    text = gitexp("watch").stdout
    assert "exp001: LR up" in text
    assert "50% loss 2.5, 2 s left" in text
    Path(f"{runs}.wait").unlink()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Nothing is running" in gitexp("watch").stdout


def test_in_a_terminal_it_draws_until_interrupted_and_leaves_the_screen_as_it_was(lived: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gitexp", "watch"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=lived
    )
    os.close(theirs)
    seen = b""
    until = time.monotonic() + 30
    while b"Nothing is running" not in seen and time.monotonic() < until:
        seen += os.read(ours, 1 << 16)
    process.send_signal(signal.SIGINT)
    try:
        while chunk := os.read(ours, 1 << 16):
            seen += chunk
    except OSError:  # Linux: the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert seen.startswith(b"\x1b[?1049h")
    assert seen.endswith(b"\x1b[?1049l")
