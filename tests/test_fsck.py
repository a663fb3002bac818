"""``gitexp fsck``: each kind of damage has its finding, and an experiment in order has none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Gitexp, git, set_lr


def findings(gitexp: Gitexp) -> dict[str, str]:
    """By code, the sentence."""
    found = json.loads(gitexp("fsck", "--json", code=None).stdout)
    assert all(finding["repair"] for finding in found)
    return {finding["code"]: finding["sentence"] for finding in found}


pytestmark = pytest.mark.slow  # each has an experiment of three steps


@pytest.fixture
def three(experiment: Path, gitexp: Gitexp) -> Path:
    """A KEEP, a DISCARD and a CRASH."""
    for value in ("0.2", "0.9", "[][1]"):
        set_lr(experiment, value)
        gitexp("step", "-m", f"LR {value}")
    return experiment


def rewrite(revision: str, old: str, new: str) -> None:
    """Put another message on the tip, the way ``git commit --amend`` does."""
    message = git("log", "-1", "--format=%B", revision)
    assert old in message
    git("commit", "--amend", "-q", "--allow-empty", "-F", "-", stdin=message.replace(old, new))


def test_an_experiment_in_order(three: Path, gitexp: Gitexp) -> None:
    assert gitexp("fsck").stdout == "exp/train is in order.\n"
    assert findings(gitexp) == {}


def test_people_may_write_in_the_notebook(three: Path, gitexp: Gitexp) -> None:
    file = three / "EXPERIMENT.md"
    file.write_text(file.read_text().replace("## Hypothesis\n", "## Hypothesis\n\nmore data\n"))
    gitexp("render")
    assert findings(gitexp) == {}


def test_a_commit_by_hand(three: Path, gitexp: Gitexp) -> None:
    git("commit", "-q", "--allow-empty", "-m", "mine")
    assert findings(gitexp).keys() == {"stranger"}
    assert "mine was committed by no step" in findings(gitexp)["stranger"]


def test_a_changed_verdict(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    rewrite("HEAD", "score=2.01", "score=2.5")
    found = findings(gitexp)
    assert found["verdict"] == "exp001 is sealed as KEEP, and by its rule is DISCARD."
    assert found["score"] == "exp001's score is not the mean of its samples."


def test_trailers_that_are_no_iteration(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    rewrite("HEAD", "Exp-Score: 2.01", "Exp-Score: low")
    assert "its trailers cannot be read" in findings(gitexp)["trailers"]


def test_a_paragraph_after_the_trailers(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    git("commit", "--amend", "-q", "-m", git("log", "-1", "--format=%B"), "-m", "Thanks to Bob")
    assert "hides them from git" in findings(gitexp)["displaced"]


def test_a_discard_without_its_revert(three: Path, gitexp: Gitexp) -> None:
    git("update-ref", "refs/heads/exp/train", "HEAD~1")
    assert "CRASH" in findings(gitexp)["unreverted"]


def test_an_amended_tree(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    set_lr(experiment, 0.25)
    git("commit", "-q", "--amend", "-a", "--no-edit")
    assert "is not the tree that was measured" in findings(gitexp)["amended"]


def test_a_cherry_picked_copy(three: Path, gitexp: Gitexp) -> None:
    keep = git("log", "--format=%h", "--grep", "^Exp-Status: KEEP", "-1").strip()
    git("cherry-pick", "--allow-empty", "--keep-redundant-commits", keep)
    found = findings(gitexp)
    assert "is a copy: it was sealed on" in found["copied"]
    assert "the same run is recorded twice" in found["twice"]


def test_a_rebased_branch(three: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "main")
    git("commit", "-q", "--allow-empty", "-m", "moved")
    git("rebase", "-q", "--keep-empty", "main", "exp/train")
    assert "rebased since" in findings(gitexp)["history"]


def test_paths_that_may_not_change(folder: Path, gitexp: Gitexp) -> None:
    (folder / "score.py").write_text("x\n")
    git("add", "-A")
    git("commit", "-qm", "score")
    gitexp("init", "--freeze", "score.py")
    for name in ("score.py", "other.txt", "results.tsv"):
        (folder / name).write_text("changed\n")
        git("add", "-f", name)
    git("commit", "-qm", "by hand")
    found = findings(gitexp)
    assert found.keys() == {"stranger", "frozen", "outside", "generated", "views"}
    assert "changes score.py, which is frozen" in found["frozen"]


def test_stale_views_and_another_hook(three: Path, gitexp: Gitexp) -> None:
    (three / "results.tsv").write_text("old\n")
    with (three / ".git/hooks/post-run").open("a") as hook:
        hook.write("# changed\n")
    assert findings(gitexp).keys() == {"views", "hook"}


def test_a_missing_object(three: Path, gitexp: Gitexp) -> None:
    blob = git("rev-parse", "HEAD~1:train.py").strip()
    (three / ".git/objects" / blob[:2] / blob[2:]).unlink()
    assert findings(gitexp)["object"] == f"The object {blob} is missing."
