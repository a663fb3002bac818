"""``watch``: a page that is read from files and history, and disturbs nothing."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitexp.cli.watch import page
from gitexp.git.repository import Repository
from gitexp.iteration import status
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.processes import start_loop, wait_for
from tests.helpers.proposers import BETTER, proposes


def test_a_page_when_nothing_runs(three_kept: Path, gitexp: Gitexp) -> None:
    text = gitexp("watch").stdout
    assert text.startswith("exp/train: lowest val_bpb\n4 iterations: 3 KEEP, 1 DISCARD, 0 CRASH; val_bpb\n")
    assert "incumbent exp003 2.002500: LR 0.25" in text
    assert "Nothing is running." in text
    assert "●" in text
    assert text.rstrip().splitlines()[-1].startswith("exp003  KEEP")


@pytest.mark.parametrize("size", [(20, 3), (40, 10), (80, 24), (200, 60)])
def test_a_page_fits_its_terminal(size: tuple[int, int], three_kept: Path) -> None:
    width, height = size
    lines = page(status.look(Repository.discover(three_kept), "train"), width, height)
    assert len(lines) <= height
    if width >= 80:
        assert max(map(len, lines)) <= width


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


def test_in_a_terminal_it_draws_until_interrupted_and_leaves_the_screen_as_it_was(three_kept: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gitexp", "watch"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=three_kept
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
