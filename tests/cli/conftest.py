"""Experiments that commands are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.experiments import make_experiment
from tests.helpers.repositories import Once, set_lr


@pytest.fixture
def one_of_each(once: Once, gitexp: Gitexp) -> Path:
    """An experiment with one of each verdict."""

    def live(folder: Path) -> None:
        make_experiment(folder, gitexp)
        for lr, message in ((0.2, "LR 0.1 -> 0.2"), (0.9, "LR 0.9"), ("oops", "a typo")):
            set_lr(folder, lr)
            gitexp("step", "-m", message, "--next", "LR 0.3", "--next", "LR 0.25")

    return once("one-of-each", live)


@pytest.fixture
def three_kept(once: Once, gitexp: Gitexp) -> Path:
    """An experiment with three KEEPs and one DISCARD, far off."""

    def live(folder: Path) -> None:
        make_experiment(folder, gitexp)
        for value in (0.2, 5, 0.25):
            set_lr(folder, value)
            gitexp("step", "-m", f"LR {value}")

    return once("watched", live)
