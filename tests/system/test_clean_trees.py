"""What goes wrong where candidates run in a person's work tree, and does not in a clean tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitexp.git import kept_files
from gitexp.iteration import step
from tests.helpers.command_line import Gitexp, refused
from tests.helpers.hooks import hook_that, printed
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, make_repository, set_lr

IMPORTS = 'from helper import SCORE\nprint("val_bpb:", SCORE)\n'
BASE, MINE = "0.1", "# a day's work\n"
SCORES = "echo val_bpb: $(cat model/score)\n"  # of an editable folder


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with files to be edited and one that is only read; the current directory is there."""
    folder = make_repository(tmp_path / "project", {"train.py": TOY, "model/score": "2.0\n", "input": "as committed\n"})
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_a_keep_does_not_import_what_is_in_no_commit(start: Path, gitexp: Gitexp, tmp_path: Path, runs: Path) -> None:
    hook_that(start, f'echo run >> "$RUNS"; exec {sys.executable} train.py\n')
    gitexp("init")
    made = runs.read_text()
    Path("helper.py").write_text("SCORE = 1.0\n")
    Path("train.py").write_text(IMPORTS)
    said = refused(gitexp, start, "step", "-m", "import a helper")
    assert "helper.py is in no commit: git does not track it" in said
    assert runs.read_text() == made
    git("restore", "train.py")
    git("switch", "-q", "main")
    git("add", "helper.py")
    git("commit", "-qm", "helper")
    gitexp("init", "--name", "second")
    Path("train.py").write_text(IMPORTS)
    assert "exp001 KEEP 1.000000" in gitexp("step", "-m", "import a helper").stdout
    git("clone", "-q", "--branch", "exp/second", str(start), str(tmp_path / "clone"))
    run = subprocess.run([sys.executable, "train.py"], cwd=tmp_path / "clone", capture_output=True, check=True)
    assert run.stdout == b"val_bpb: 1.0\n"


def test_a_save_before_the_run_starts_is_not_credited(
    start: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitexp("init", "--rule", "single")
    gather = step.gather

    def save_first(*args: object) -> object:
        set_lr(start, 0.3)
        return gather(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(step, "gather", save_first)
    set_lr(start, 0.2)
    assert "exp001 KEEP 2.010000" in gitexp("step", "-m", "0.2").stdout
    assert git("show", "HEAD:train.py") == TOY.replace(BASE, "0.2", 1)
    assert Path("train.py").read_text() == TOY.replace(BASE, "0.3", 1)
    monkeypatch.undo()
    monkeypatch.chdir(start)
    assert "exp002 KEEP 2.000000" in gitexp("step", "-m", "0.3").stdout


def test_a_save_in_the_moment_of_an_undo_is_not_lost(
    start: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitexp("init", "--rule", "single")
    exchange = kept_files.exchange

    def save_first(one: Path, other: Path) -> None:
        with Path("train.py").open("a") as editor:
            editor.write(MINE)
        exchange(one, other)

    monkeypatch.setattr(kept_files, "exchange", save_first)
    set_lr(start, 0.9)
    assert "exp001 DISCARD" in gitexp("step", "-m", "worse").stdout
    assert MINE in Path("train.py").read_text()
    assert git("show", "HEAD:train.py") == TOY


@pytest.mark.slow
def test_a_trainer_that_rewrites_a_tracked_file_does_not_end_the_night(start: Path, gitexp: Gitexp) -> None:
    hook_that(start, "cat input; echo mine > input; rm -r model; echo val_bpb: 2\n")
    gitexp("init", "--rule", "single")
    gitexp("loop", "--steps", "3", "--", "sh", "-c", 'echo "# $EXPERIMENT_ID" >> train.py')
    assert len(ledger_of(start).iterations) == 4
    for number in range(4):
        assert printed(start, f"exp00{number}") == "as committed\nval_bpb: 2\n"
    assert git("status", "--porcelain") == ""
    assert git("fsck", "--strict") == ""


@pytest.mark.slow
def test_a_checkpoint_in_an_editable_folder_is_no_edit(start: Path, gitexp: Gitexp) -> None:
    hook_that(start, f"{SCORES}[ ! -e model/checkpoint ] && head -c 3000000 /dev/urandom > model/checkpoint\n")
    gitexp("init", "--rule", "single", "--edit", "model")
    gitexp("loop", "--steps", "3", "--", "sh", "-c", 'echo "1.${EXPERIMENT_ID#exp}" > model/score')
    scores = [iteration.score for iteration in ledger_of(start).iterations]
    assert len(set(scores)) == len(scores) == 4
    assert "checkpoint" not in git("log", "--all", "--name-only", "--format=")
    assert sum(file.stat().st_size for file in Path(".git/objects").rglob("*") if file.is_file()) < 300_000
    assert git("status", "--porcelain") == ""


def test_frozen_data_that_git_ignores_outlives_a_switch(start: Path, gitexp: Gitexp) -> None:
    Path(".git/info/exclude").write_text("data\n")
    Path("data").mkdir()
    Path("data/set").write_text("rows\n")
    hook_that(start, f"cat data/set; exec {sys.executable} train.py\n")
    gitexp("init", "--rule", "single", "--freeze", "data")
    set_lr(start, 0.2)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout
    assert printed(start, "exp001").startswith("rows\n")
    git("switch", "-q", "main")
    assert Path("data/set").read_text() == "rows\n"
    assert "data" not in git("log", "--all", "--name-only", "--format=")
    git("switch", "-q", "exp/train")
    set_lr(start, 0.3)
    assert "exp002 KEEP" in gitexp("step", "-m", "y").stdout
