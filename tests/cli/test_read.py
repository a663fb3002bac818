"""``log``, ``show``, ``status``, ``render``, ``hook``: what they print, and that any clone can read it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

from gitexp.git.repository import Repository
from gitexp.ledger import history
from tests.helpers.command_line import Gitexp
from tests.helpers.experiments import make_experiment
from tests.helpers.repositories import Once, git, set_lr


@pytest.fixture
def lived(once: Once, gitexp: Gitexp) -> Path:
    """An experiment with one of each verdict."""

    def live(folder: Path) -> None:
        make_experiment(folder, gitexp)
        for lr, message in ((0.2, "LR 0.1 -> 0.2"), (0.9, "LR 0.9"), ("oops", "a typo")):
            set_lr(folder, lr)
            gitexp("step", "-m", message, "--next", "LR 0.3", "--next", "LR 0.25")

    return once("one-of-each", live)


def without_seconds(text: str) -> str:
    """The table with its seconds column blanked: they are the only thing that differs from run to run."""
    lines = text.splitlines()
    at = lines[0].index("seconds")
    return "\n".join((line[:at] + " " * 7 + line[at + 7 :]).rstrip() for line in lines)


def test_log_is_a_table(lived: Path, gitexp: Gitexp) -> None:
    assert without_seconds(gitexp("log").stdout) == (
        "id      verdict     score      delta  memory           description\n"
        "exp000  KEEP     2.040000               12.5           baseline\n"
        "exp001  KEEP     2.010000  -0.030000    12.5           LR 0.1 -> 0.2\n"
        "exp002  DISCARD  2.360000  +0.350000    12.5           LR 0.9\n"
        "exp003  CRASH                                          a typo"
    )


def test_log_filters(lived: Path, gitexp: Gitexp) -> None:
    assert [line[:6] for line in gitexp("log", "--status", "keep").stdout.splitlines()[1:]] == ["exp000", "exp001"]
    assert [line[:6] for line in gitexp("log", "-n", "1").stdout.splitlines()[1:]] == ["exp003"]
    two = gitexp("log", "--status", "crash", "--status", "discard").stdout.splitlines()[1:]
    assert [line[:6] for line in two] == ["exp002", "exp003"]


def test_log_as_json_and_tsv(lived: Path, gitexp: Gitexp) -> None:
    found = json.loads(gitexp("log", "--json").stdout)
    assert [(i["id"], i["status"], i["score"]) for i in found] == [
        ("exp000", "KEEP", 2.04),
        ("exp001", "KEEP", 2.01),
        ("exp002", "DISCARD", 2.36),
        ("exp003", "CRASH", None),
    ]
    assert found[1]["metrics"] == {"num_steps": 7.0}
    lines = [line.split("\t") for line in gitexp("log", "--tsv").stdout.splitlines()]
    assert lines[0] == ["id", "verdict", "score", "delta", "memory", "seconds", "description"]
    assert {len(line) for line in lines} == {7}


@pytest.mark.parametrize("name", ["exp002", "2"])
def test_show_has_message_diff_and_log(lived: Path, gitexp: Gitexp, name: str) -> None:
    text = gitexp("show", name).stdout
    assert "exp002 DISCARD 2.360000: LR 0.9" in text
    assert "Exp-Status: DISCARD" in text
    assert "-LR = 0.2\n+LR = 0.9" in text
    assert "val_bpb: 2.360000" in text


def test_show_of_what_is_not_there(lived: Path, gitexp: Gitexp) -> None:
    assert "There is no exp009 in exp/train; the last is exp003." in gitexp("show", "exp009", code=1).stderr


def test_status(lived: Path, gitexp: Gitexp) -> None:
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


def test_status_says_what_the_next_step_would_take_and_whose_the_views_are(lived: Path, gitexp: Gitexp) -> None:
    set_lr(lived, 0.3)
    assert "edited        train.py\n" in gitexp("status").stdout
    assert json.loads(gitexp("status", "--json").stdout)["edited"] == ["train.py"]
    git("checkout", "-q", "train.py")
    gitexp("init", "--name", "second")
    git("switch", "-q", "exp/train")
    assert "views         results.tsv and EXPERIMENT.md are of second: gitexp render\n" in gitexp("status").stdout
    gitexp("render")
    assert "views" not in gitexp("status").stdout


def test_status_names_commits_by_hand_and_hidden_trailers(lived: Path, gitexp: Gitexp) -> None:
    set_lr(lived, 0.3)
    gitexp("step", "-m", "LR 0.3")
    message = git("log", "-1", "--format=%B").rstrip() + "\n\nCo-authored-by: An Agent <agent@example.org>\n"
    git("commit", "-q", "--amend", "-F", "-", stdin=message)
    git("commit", "-q", "--allow-empty", "-m", "by \x1b[31mhand")
    text = gitexp("status").stdout
    assert "exp004: a paragraph after its trailers hides them from git" in text
    assert "by \\x1b[31mhand: not committed by gitexp" in text
    assert "\x1b" not in text


def test_render_brings_both_views_back(lived: Path, gitexp: Gitexp) -> None:
    views = {name: (lived / name).read_bytes() for name in ("results.tsv", "EXPERIMENT.md")}
    for name in views:
        (lived / name).unlink()
    gitexp("render")
    assert {name: (lived / name).read_bytes() for name in views} == views


@pytest.mark.parametrize("kind", ["plain", "bare", "local branch"])
def test_a_clone_renders_the_same_bytes(
    lived: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    views = {name: (lived / name).read_bytes() for name in ("results.tsv", "EXPERIMENT.md")}
    clone = tmp_path / "clone"
    git("clone", "-q", *(["--bare"] if kind == "bare" else []), str(lived), str(clone))
    monkeypatch.chdir(clone)
    if kind == "bare":
        assert "This repository has no work tree." in gitexp("render", code=1).stderr
        gitexp("render", "-o", str(tmp_path / "out"))
        made = tmp_path / "out"
    elif kind == "plain":
        git("switch", "-q", "-c", "aside", "HEAD~1")
        git("branch", "-q", "-D", "exp/train")
        gitexp("render", "-e", "train")
        made = clone
    else:
        gitexp("render")
        made = clone
        assert git("status", "--porcelain") == ""
    assert {name: (made / name).read_bytes() for name in views} == views


def test_a_clone_runs_nothing_until_told(
    lived: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", str(lived), str(clone))
    monkeypatch.chdir(clone)
    set_lr(clone, 0.3)
    assert "There is no post-run hook" in gitexp("step", "-m", "x", code=1).stderr
    assert "There is no post-run hook" in gitexp("hook", code=1).stderr
    gitexp("hook", "--install")
    assert "There is a hook already" in gitexp("hook", "--install", code=1).stderr
    assert "The baseline was measured with it." in gitexp("hook").stdout
    assert "exp004 KEEP 2.000000" in gitexp("step", "-m", "x").stdout


def test_a_shallow_clone_is_refused_with_the_way_out(
    lived: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", "--depth", "2", f"file://{lived}", str(clone))
    monkeypatch.chdir(clone)
    said = gitexp("log", code=1).stderr
    assert "this clone is shallow" in said
    git(*said.split("try: git ")[1].split())
    assert "exp003" in gitexp("log").stdout


def test_from_a_subfolder_and_from_a_linked_worktree(
    lived: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lived / "sub").mkdir()
    monkeypatch.chdir(lived / "sub")
    assert "exp003" in gitexp("log").stdout
    git("worktree", "add", "-q", "-b", "exp/other", str(tmp_path / "linked"), "main")
    monkeypatch.chdir(tmp_path / "linked")
    git("switch", "-q", "--detach")
    git("branch", "-q", "-D", "exp/other")
    gitexp("init", "--name", "other")
    set_lr(tmp_path / "linked", 0.3)
    assert "exp001 KEEP" in gitexp("step", "-m", "in a linked worktree").stdout
    assert (tmp_path / "linked" / "results.tsv").exists()
    assert git("status", "--porcelain") == ""


def test_an_experiment_that_does_not_exist(lived: Path, gitexp: Gitexp) -> None:
    assert "There is no experiment nope" in gitexp("log", "-e", "nope", code=1).stderr


def test_git_exp_finds_the_repository_named_by_git(
    lived: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``git --git-dir=… exp log`` runs git-exp with GIT_DIR set, relative to where it was typed."""
    monkeypatch.chdir(lived.parent)
    monkeypatch.setenv("GIT_DIR", "repository/.git")
    monkeypatch.setenv("GIT_WORK_TREE", "repository")
    assert "exp003" in gitexp("log").stdout


# -- filters, other experiments, comparisons ---------------------------------------------------------------------------


def ids(text: str) -> list[str]:
    return re.findall(r"^exp\d{3}", text, re.MULTILINE)


def test_log_filters_by_text_and_by_what_was_changed(lived: Path, gitexp: Gitexp) -> None:
    everything = ids(gitexp("log").stdout)
    assert ids(gitexp("log", "--changed", "LR").stdout) == ids(gitexp("log", "--changed", "constant LR").stdout) != []
    assert ids(gitexp("log", "--changed", "NOTHING").stdout) == []
    assert ids(gitexp("log", "--grep", "BASELINE").stdout) == everything[:1]


def test_log_draws_the_running_best(lived: Path, gitexp: Gitexp) -> None:
    text = gitexp("log", "--graph").stdout
    assert "●" in text.partition("id      verdict")[0]


def test_log_of_all_experiments_names_the_best_of_each(lived: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "main", cwd=lived)
    gitexp("init", "--name", "other", "--budget", "5")
    git("branch", "exp/broken", "main", cwd=lived)
    lines = gitexp("log", "--all").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["experiment", "broken", "other", "train"]
    assert "holds no baseline" in lines[1]
    assert lines[3].split()[1:7] == ["val_bpb", "2.040000", "2.010000", "-0.030000", "2", "1,"]
    assert [entry["experiment"] for entry in json.loads(gitexp("log", "--all", "--json").stdout)] == ["other", "train"]
    clone = lived.parent / "clone"
    git("clone", "-q", str(lived), str(clone))
    assert history.names(Repository.discover(clone)) == ["other", "broken", "train"]  # the first is checked out


def test_diff_has_metrics_and_code(lived: Path, gitexp: Gitexp) -> None:
    text = gitexp("diff", "exp001").stdout
    head, _, code = text.partition("diff --git")
    assert head.splitlines()[0].split() == ["exp000", "exp001", "difference"]
    assert re.search(r"^val_bpb +2\.040000 +2\.\d{6} +-0\.\d{6}$", head, re.MULTILINE)
    assert re.search(r"^num_steps +7 +7 +0$", head, re.MULTILINE)
    assert "-LR = 0.1\n+LR = " in code
    assert "The code is the same." in gitexp("diff", "exp000", "exp000").stdout
    assert "it met no incumbent" in gitexp("diff", "exp000", code=1).stderr


def test_best_says_how_to_take_it(lived: Path, gitexp: Gitexp) -> None:
    text = gitexp("best").stdout
    assert text.startswith("exp001 KEEP 2.010000: LR 0.1 -> 0.2\n")
    assert f"git cherry-pick -x {git('log', '-1', '--format=%H', '--grep', 'Exp-Id: exp001', cwd=lived)[:10]}" in text
    assert "from the baseline's 2.040000" in text


@pytest.mark.parametrize("words", ["show exp000", "diff exp000 exp000", "log", "brief"])
def test_who_stops_reading_is_no_error(experiment: Path, words: str) -> None:
    line = f"{quote(sys.executable)} -m gitexp {words} | true"
    said = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stderr
    assert said == ""
