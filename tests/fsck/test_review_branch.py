"""``gitexp fsck`` on a branch for review: KEEPs that were cherry-picked, and a commit that sums them up."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git
from tests.helpers.review_branches import pick, summarize
from tests.helpers.tampering import KEEPS, TRAIN, Branch, commit, falsify_keep, findings

pytestmark = pytest.mark.slow  # by number: each takes half a second


def only_the_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to a clone that has nothing of the experiment."""
    git(
        "clone",
        "-q",
        "--no-local",
        "--single-branch",
        "-b",
        "review/train",
        str(tmp_path / "repository"),
        str(tmp_path / "of"),
    )
    monkeypatch.chdir(tmp_path / "of")
    git("fetch", "-q", "origin", "main:refs/remotes/origin/main")


@pytest.mark.parametrize("ids", [KEEPS, ("exp000", *KEEPS), ("exp001",), ("exp000",)])
def test_a_review_in_order(
    branch: Branch, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: tuple[str, ...]
) -> None:
    pick(*ids)
    summarize(gitexp)
    result = gitexp("fsck", "main..HEAD")
    assert result.stdout.startswith("main..HEAD is in order: exp00")
    assert result.stderr == ""
    only_the_review(tmp_path, monkeypatch)
    for commits in ("origin/main..HEAD", "HEAD"):
        result = gitexp("fsck", commits)
        assert result.stdout.startswith(f"{commits} is in order: exp00")
        assert result.stderr.startswith("not checked: the verdicts of exp00")


def test_a_review_on_a_main_that_moved_with_other_work_on_it(
    branch: Branch, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("switch", "-q", "main")
    commit(Path("other.txt"), "moved\n", "Move on")
    pick("exp000", *KEEPS)
    summarize(gitexp)
    commit(Path("other.txt"), "as asked\n", "Address the review")
    assert findings(gitexp, "main..HEAD") == {}
    assert findings(gitexp, "HEAD") == {}
    only_the_review(tmp_path, monkeypatch)
    assert findings(gitexp, "origin/main..HEAD") == {}


def test_a_review_that_was_merged(branch: Branch, gitexp: Gitexp) -> None:
    pick("exp000", *KEEPS)
    summarize(gitexp)
    git("switch", "-q", "main")
    commit(Path("other.txt"), "moved\n", "Move on")
    git("merge", "-q", "--no-ff", "--no-edit", "review/train")
    commit(Path("score.py"), "x\n", "Another evaluator")
    assert findings(gitexp, "main") == {}
    assert findings(gitexp, "main~1^1..main") == {}


def amended(message: Callable[[str], str] = str, **files: str) -> None:
    """Make the last commit another."""
    for name, text in files.items():
        Path(name).write_text(text)
        git("add", "-f", name)
    git("commit", "-q", "--amend", "--allow-empty", "-F", "-", stdin=message(git("log", "-1", "--format=%B")))


def edit_score(message: str) -> str:
    return message.replace("2.000400", "1.500000").replace("Exp-Score: 2.0004", "Exp-Score: 1.5")


def pick_again() -> None:
    git("commit", "-q", "--allow-empty", "-F", "-", stdin=git("log", "-1", "--format=%B", "HEAD~1"))


# What is done to the review's last commit, what is found, and what more where the experiment is in the clone.
DAMAGES: dict[str, tuple[Callable[[], object], set[str], set[str]]] = {
    "edited code": (lambda: amended(**{"train.py": TRAIN.replace("0.1", "0.29", 1)}), {"patch"}, set()),
    "edited score": (lambda: amended(edit_score), {"score"}, {"copy-differs"}),
    "edited subject": (lambda: amended(lambda said: said.replace("KEEP 2.", "KEEP 1.")), {"subject"}, set()),
    "cut block": (lambda: amended(lambda said: said.partition("\n")[0]), {"no-trailers"}, set()),
    "buried block": (lambda: amended(lambda said: said + "\nThanks to Bob\n"), {"hidden-trailers"}, set()),
    "smuggled edit": (lambda: amended(**{"other.txt": "x\n"}), {"patch", "outside"}, set()),
    "frozen file": (lambda: amended(**{"score.py": "x\n"}), {"patch", "frozen"}, set()),
    "results.tsv": (lambda: amended(**{"results.tsv": "x\n"}), {"patch", "generated"}, set()),
    "picked twice": (pick_again, {"order", "duplicate-run", "patch"}, set()),
    "picked DISCARD": (lambda: git("cherry-pick", "-x", "exp/train~1"), {"rebased"}, set()),
}


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_review_that_is_not_in_order(
    branch: Branch, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, alone: bool
) -> None:
    act, codes, beside = DAMAGES[damage]
    pick("exp000", *KEEPS)
    act()
    if alone:
        only_the_review(tmp_path, monkeypatch)
    found = findings(gitexp, "origin/main..HEAD" if alone else "main..HEAD")
    assert found.keys() == (codes if alone else codes | beside)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda table: table.replace("2.002500", "1.002500"), "val_score '1.002500' for exp003, whose trailers say"),
        (lambda table: table.replace("CRASH", "KEEP"), "status 'KEEP' for exp004, whose trailers say 'CRASH'"),
        (
            lambda table: re.sub(r"(?m)^(exp006\t.*\t)\w{10}", r"\g<1>0123456789", table),
            "commit '0123456789' for exp006",
        ),
        (lambda table: table + "exp003\tval_bpb\t1.0\n", "has two rows for exp003"),
        (lambda table: table.replace("memory_mb", "memory"), "is not the table that gitexp computes"),
    ],
)
def test_a_summary_that_says_something_else(
    branch: Branch, gitexp: Gitexp, edit: Callable[[str], str], words: str
) -> None:
    pick("exp000", *KEEPS)
    summarize(gitexp, edit)
    assert findings(gitexp, "main..HEAD").keys() == {"table"}
    assert words in gitexp("fsck", "main..HEAD", code=1).stdout


def test_a_review_of_a_falsified_experiment(branch: Branch, gitexp: Gitexp) -> None:
    """The verdicts are those of the experiment, where that is here, be it the copies' source or only their base."""
    falsify_keep(branch)
    branch.write()
    pick("exp001", "exp003", "exp005")
    assert findings(gitexp, "main..HEAD").keys() == {"verdict"}
    git("switch", "-q", "--detach", "HEAD~1")
    message = git("log", "-1", "--format=%B", "review/train")
    git("read-tree", "-u", "-m", "HEAD", "review/train")
    git("commit", "-q", "-F", "-", stdin=re.sub(r"(?m)^\(cherry.*\n", "", message))
    assert findings(gitexp, "main..HEAD").keys() == {"verdict"}
    git("branch", "-q", "-f", "exp/train", "exp/train~6")
    assert git("log", "-1", "--format=%s", "exp/train").startswith('Revert "exp004')
    git("branch", "-q", "-D", "review/train")
    git("reflog", "expire", "--expire=now", "--all")
    git("prune", "--expire=now")
    assert findings(gitexp, "main..HEAD").keys() == {"verdict"}


def test_a_frozen_file_that_the_review_changes(branch: Branch, gitexp: Gitexp) -> None:
    pick("exp000", *KEEPS)
    summarize(gitexp)
    commit(Path("score.py"), "x\n", "Another evaluator")
    assert findings(gitexp, "main..HEAD").keys() == {"frozen"}
