"""Experiments to start from."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import make_toy


def make_experiment(folder: Path, gitexp: Gitexp) -> None:
    """The toy's experiment, its baseline sealed: LR 0.1 scores 2.04, and 0.3 would be best."""
    make_toy(folder)
    gitexp("init", "--budget", "5", "--goal", "lowest val_bpb")
