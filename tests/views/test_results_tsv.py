"""results.tsv grows by its new rows, and is written anew where it is not what was written last."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitexp.git.repository import Repository
from gitexp.iteration.remark import remark
from gitexp.ledger import history
from gitexp.model import Remark
from gitexp.views.results_tsv import results_tsv
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git, set_lr


class Silent:
    def say(self, sentence: str) -> None: ...
    def run_starts(self, identity: str, budget: float) -> None: ...
    def run_prints(self, line: str) -> None: ...
    def run_goes_on(self) -> None: ...
    def run_ends(self, completed: bool) -> None: ...


def told(folder: Path) -> str:
    """What the table has to say, by git's commits alone."""
    repo = Repository.discover(folder)
    return results_tsv(history.read(repo, "train", history.tip(repo, "train")))


def steps(folder: Path, gitexp: Gitexp, *values: object) -> None:
    for value in values:
        set_lr(folder, value)
        gitexp("step", "-m", f"LR {value}")


def test_it_grows_in_place(experiment: Path, gitexp: Gitexp) -> None:
    steps(experiment, gitexp, 0.15)  # the experiment is a copy: its table is not the file that was written
    table = experiment / "results.tsv"
    inode = table.stat().st_ino
    for value in (0.2, 0.9, "nonsense +"):
        before = table.read_text()
        steps(experiment, gitexp, value)
        assert table.read_text() == told(experiment)
        assert table.read_text().startswith(before)
        assert table.stat().st_ino == inode


SPOILT: dict[str, Callable[[Path], object]] = {
    "a row more": lambda table: table.write_text(table.read_text() + "exp999\tval_bpb\t1\n"),
    "a part of a row": lambda table: table.write_text(table.read_text()[:-3]),
    "other words": lambda table: table.write_text(table.read_text().replace("baseline", "BASELINE")),
    "emptied": lambda table: table.write_text(""),
    "gone": lambda table: table.unlink(),
    "copied": lambda table: (table.rename("old"), table.write_bytes(Path("old").read_bytes())),
    "touched": os.utime,
    "note lost": lambda table: Path(".git/gitexp/train/results.json").unlink(),
    "note cut": lambda table: Path(".git/gitexp/train/results.json").write_text('{"rows": 1, "last"'),
    "note of other rows": lambda table: Path(".git/gitexp/train/results.json").write_text(
        Path(".git/gitexp/train/results.json").read_text().replace('"rows": 2', '"rows": 1')
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_not_as_it_was_written_is_written_again(experiment: Path, gitexp: Gitexp, how: str) -> None:
    steps(experiment, gitexp, 0.2)
    SPOILT[how](experiment / "results.tsv")
    steps(experiment, gitexp, 0.25)
    assert (experiment / "results.tsv").read_text() == told(experiment)


def test_a_shorter_history_is_told_as_it_is(experiment: Path, gitexp: Gitexp) -> None:
    steps(experiment, gitexp, 0.2, 0.25)
    git("reset", "-q", "--hard", "HEAD~1")
    gitexp("render")
    assert (experiment / "results.tsv").read_text() == told(experiment)
    steps(experiment, gitexp, 0.28)
    assert (experiment / "results.tsv").read_text() == told(experiment)


def test_render_full_trusts_nothing(experiment: Path, gitexp: Gitexp) -> None:
    table = experiment / "results.tsv"
    facts = table.stat()
    table.write_text(table.read_text().replace("baseline", "BASELINE"))
    os.utime(table, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    gitexp("render", "--full")
    assert table.read_text() == told(experiment)


def test_a_look_that_was_taken_back_is_told_no_more(experiment: Path, gitexp: Gitexp) -> None:
    steps(experiment, gitexp, 0.2)
    for of in ("exp001", "exp000"):
        repo = Repository.discover(experiment)
        remark(repo, "train", lambda ledger, of=of: Remark("test", of, score=1.5), Silent())  # type: ignore[misc]
        if of == "exp001":
            git("reset", "-q", "--hard", "HEAD~1")
    assert (experiment / "results.tsv").read_text() == told(experiment)
    assert "exp000\tval_bpb\t2.040000\t1.500000" in told(experiment)
