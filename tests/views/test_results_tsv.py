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
from tests.helpers.repositories import TOY, git, make_repository, set_lr


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


def test_in_a_monorepo_they_lie_beside_the_script_and_two_experiments_keep_their_own(
    tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_repository(tmp_path / "mono", {f"{name}/train.py": TOY for name in ("fit", "rank")})
    monkeypatch.chdir(folder)
    for name in ("fit", "rank"):
        git("switch", "-q", "main")
        gitexp("init", f"{name}/train.py", "--name", name, "--budget", "5")
    assert sorted(path.parent.name for path in folder.rglob("results.tsv")) == ["fit", "rank"]
    set_lr(folder / "rank", 0.2)
    gitexp("step", "-m", "in rank")
    assert "in rank" in (folder / "rank/results.tsv").read_text()
    assert (folder / "fit/results.tsv").read_text().count("\n") == 2
    assert (folder / "rank/EXPERIMENT.md").read_text().startswith("# Experiment rank")
    assert git("status", "--porcelain") == ""
    git("switch", "-q", "exp/fit")
    set_lr(folder / "fit", 0.25)
    gitexp("step", "-m", "in fit")
    assert "in fit" in (folder / "fit/results.tsv").read_text()
    assert "in rank" in (folder / "rank/results.tsv").read_text()
    assert "in order" in gitexp("fsck").stdout


@pytest.mark.parametrize("view", ["results.tsv", "EXPERIMENT.md"])
def test_a_link_in_the_place_of_a_view_is_neither_read_nor_written(
    experiment: Path, gitexp: Gitexp, tmp_path: Path, view: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET-KEY\n")
    (experiment / view).unlink()
    (experiment / view).symlink_to(secret)
    said = gitexp("render", code=1).stderr
    assert f"{view} is not a plain file here, and gitexp neither reads nor writes through it." in said
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    assert secret.read_text() == "SECRET-KEY\n"
    assert (experiment / view).is_symlink()
    assert "SECRET" not in git("log", "-p", "exp/train")


def test_a_table_of_ones_own_in_a_clone_is_not_overwritten(
    experiment: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("clone", "-q", "-b", "exp/train", str(experiment), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    gitexp("hook", "--install")
    table = tmp_path / "clone/results.tsv"
    table.write_text("my own table, three weeks of notes\n")
    set_lr(tmp_path / "clone", 0.2)
    for command in (["render"], ["step", "-m", "x"]):
        assert "results.tsv is kept by hand here, and is not overwritten." in gitexp(*command, code=1).stderr
    assert table.read_text() == "my own table, three weeks of notes\n"
    assert "exp001" not in gitexp("log").stdout
