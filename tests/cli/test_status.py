"""``status``: as text for a person."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, set_lr


def test_status(one_of_each: Path, gitexp: Gitexp) -> None:
    assert gitexp("status").stdout == (
        "experiment    exp/train: minimize val_bpb, 5 s a run\n"
        "goal          lowest val_bpb\n"
        "incumbent     exp001 2.010000: LR 0.1 -> 0.2\n"
        "baseline      2.040000\n"
        "iterations    4 (2 KEEP, 1 DISCARD, 1 CRASH)\n"
        "editable      train.py\n"
        "next          LR 0.3\n"
        "next          LR 0.25\n"
    )
    found = json.loads(gitexp("status", "--json").stdout)
    assert found["counts"] == {"KEEP": 2, "DISCARD": 1, "CRASH": 1}
    assert found["incumbent"]["id"] == "exp001"
    assert found["next"] == ["LR 0.3", "LR 0.25"]


def test_status_says_what_the_next_step_would_take_and_whose_the_views_are(one_of_each: Path, gitexp: Gitexp) -> None:
    set_lr(one_of_each, 0.3)
    assert "edited        train.py\n" in gitexp("status").stdout
    assert json.loads(gitexp("status", "--json").stdout)["edited"] == ["train.py"]
    git("checkout", "-q", "train.py")
    gitexp("init", "--name", "second")
    git("switch", "-q", "exp/train")
    assert "views         results.tsv and EXPERIMENT.md are of second: gitexp render\n" in gitexp("status").stdout
    gitexp("render")
    assert "views" not in gitexp("status").stdout


def test_status_names_commits_by_hand_and_hidden_trailers(one_of_each: Path, gitexp: Gitexp) -> None:
    set_lr(one_of_each, 0.3)
    gitexp("step", "-m", "LR 0.3")
    message = git("log", "-1", "--format=%B").rstrip() + "\n\nCo-authored-by: An Agent <agent@example.org>\n"
    git("commit", "-q", "--amend", "-F", "-", stdin=message)
    git("commit", "-q", "--allow-empty", "-m", "by \x1b[31mhand")
    text = gitexp("status").stdout
    assert "exp004: a paragraph after its trailers hides them from git" in text
    assert "by \\x1b[31mhand: not committed by gitexp" in text
    assert "\x1b" not in text
