"""``gitexp pick``: KEEPs on another branch, what they depend on, and that nobody's checkout is touched."""

from __future__ import annotations

import itertools
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitexp.errors import GitexpError
from gitexp.git.repository import Repository
from gitexp.review import conflict, pick
from gitexp.verdict.rules import holds_against
from tests.helpers.command_line import Gitexp, check_refusal
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import (
    KEEPS,
    TRAINER,
    commit_all,
    content,
    git,
    ids,
    make_repository,
    refs,
    set_constant,
    subjects,
)
from tests.helpers.work_trees import check_nothing_left, work_files

pytestmark = pytest.mark.slow  # repositories by the dozen


# -- what is picked ----------------------------------------------------------------------------------------------------


def test_all_keeps_are_picked_onto_a_new_branch_where_the_experiment_began(
    kept: Path, gitexp: Gitexp, scratch_home: Path
) -> None:
    before = work_files(kept)
    result = gitexp("pick", "--onto", "results")
    assert [line.split()[1] for line in result.stdout.splitlines()[:-1]] == KEEPS
    assert "results was made; look: git log -p" in result.stdout
    assert ids("results") == KEEPS
    assert git("merge-base", "results", "exp/train") == git("rev-parse", "main")
    assert content("results") == content("exp/train") == (kept / "train.py").read_text()
    assert git("diff", "results", "exp/train") == ""
    assert work_files(kept) == before
    check_nothing_left(kept, scratch_home)


def test_a_pick_is_what_cherry_pick_would_make_of_it(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pick", "exp005", "--onto", "ours")
    git("switch", "-q", "-c", "theirs", "main")
    git("cherry-pick", "-x", ledger_of(kept).iterations[5].commit)
    for form in ("%B", "%an %ae %ad", "%T", "%P", "%(trailers)"):
        assert git("log", "-1", f"--format={form}", "ours") == git("log", "-1", f"--format={form}", "theirs")


def test_the_order_is_the_experiments_and_numbers_will_do(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pick", "4", "exp001", "4", "--onto", "results")
    assert ids("results") == ["exp001", "exp004"]


def test_what_was_dropped_can_be_named(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pick", "exp002", "exp003", "exp005", "exp007", "--onto", "odd")
    assert "D = 0\n\nE = oops\n" in content("odd")
    assert subjects("main", "odd")[-1] == "exp007 CRASH: E = oops"


def test_a_branch_that_is_there_is_moved_on(kept: Path, gitexp: Gitexp) -> None:
    git("worktree", "add", "-q", "../elsewhere", "main")
    (kept.parent / "elsewhere" / "other.txt").write_text("other\n")
    git("add", "other.txt", cwd=kept.parent / "elsewhere")
    tip = commit_all(kept.parent / "elsewhere", "other work")
    git("worktree", "remove", "--force", "../elsewhere")
    result = gitexp("pick", "--onto", "main")
    assert "main was moved" in result.stdout
    assert git("rev-parse", "main~6").strip() == tip
    assert content("main") == content("exp/train")
    assert content("main", "other.txt") == "other\n"


@pytest.mark.parametrize("named", [(), ("exp001",)])
def test_a_baseline_with_files_of_its_own_goes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp, named: tuple[str, ...]
) -> None:
    folder = make_repository(tmp_path / "repository", {"notes": ""})
    monkeypatch.chdir(folder)
    (folder / "train.py").write_text(TRAINER)
    (folder / "score.py").write_text("")
    gitexp("init", "--rule", "single", "--freeze", "score.py")
    set_constant(folder, "A", "2")
    gitexp("step", "-m", "A = 2")
    gitexp("pick", *named, "--onto", "results")
    assert ids("results") == ["exp000", "exp001"]
    assert git("ls-tree", "--name-only", "results").split() == ["notes", "score.py", "train.py"]
    git("branch", "-q", "copied", "main")
    git("switch", "-q", "copied")
    git("cherry-pick", ledger_of(folder).baseline.commit)  # without -x: known by its patch
    git("switch", "-q", "exp/train")
    assert "skipped    exp000" in gitexp("pick", *named, "--onto", "copied").stdout
    assert ids("copied") == ["exp000", "exp001"]


def test_without_a_keep_there_is_nothing_to_pick(experiment: Path, gitexp: Gitexp) -> None:
    check_refusal(gitexp("pick", "--onto", "results", code=1), "exp/train has no KEEP but its baseline.", "gitexp log")
    assert gitexp("pick", "exp000", "--onto", "results").stdout.endswith("There is nothing to pick.\n")
    assert "results" not in refs(experiment)


# -- what is there already ---------------------------------------------------------------------------------------------


def skipped(stdout: str) -> list[str]:
    return re.findall(r"^skipped    (exp\d+): ", stdout, re.MULTILINE)


def test_what_was_picked_is_skipped_also_when_the_branch_went_on_from_there(kept: Path, gitexp: Gitexp) -> None:
    copied, plain = ledger_of(kept).iterations[5], ledger_of(kept).iterations[1]
    git("switch", "-q", "-c", "results", "main")
    git("cherry-pick", "-x", copied.commit)
    git("cherry-pick", plain.commit)  # known by its patch
    git("commit", "-q", "--amend", "-m", "in other words")
    known = git("rev-parse", "--short=10", "HEAD").strip()
    set_constant(kept, "A", "9")
    commit_all(kept, "on from there")
    git("switch", "-q", "exp/train")
    result = gitexp("pick", "exp001", "exp002", "exp005", "--onto", "results")
    assert skipped(result.stdout) == ["exp001", "exp005"]
    assert f"skipped    exp001: results has this change already ({known})" in result.stdout
    assert content("results").startswith("A = 9\nB = 1\nC = 1\n\nD = 2\n\nE = 3\n")


def test_picking_twice_changes_nothing(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pick", "--onto", "results")
    before = refs(kept)
    result = gitexp("pick", "--onto", "results")
    assert skipped(result.stdout) == KEEPS
    assert result.stdout.endswith("results has not changed.\n")
    assert refs(kept) == before


def test_what_was_picked_and_reverted_is_picked_again(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pick", "exp005", "--onto", "results")
    git("switch", "-q", "results")
    git("revert", "--no-edit", "HEAD")
    git("switch", "-q", "exp/train")
    assert skipped(gitexp("pick", "exp005", "--onto", "results").stdout) == []
    assert "E = 3" in content("results")


def test_what_was_squashed_or_merged_is_there_already(kept: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "-c", "squashed", "main")
    git("merge", "-q", "--squash", ledger_of(kept).iterations[1].commit)
    git("commit", "-qm", "squashed")
    git("switch", "-q", "-c", "merged", "main")
    git("merge", "-q", "--no-ff", "-m", "merge", "exp/train")
    git("switch", "-q", "exp/train")
    assert skipped(gitexp("pick", "exp001", "--onto", "squashed").stdout) == ["exp001"]
    assert skipped(gitexp("pick", "--onto", "merged").stdout) == KEEPS
    assert skipped(gitexp("pick", "exp003", "--onto", "merged", code=1).stdout) == []  # it was reverted there


def test_the_same_edit_made_twice_is_two(folder: Path, gitexp: Gitexp) -> None:
    (folder / "train.py").write_text(TRAINER)
    commit_all(folder, "constants")
    gitexp("init", "--rule", "single")
    for a, e, again in (("2", "1", ()), ("1", "5", ()), ("2", "5", ("--again",))):
        set_constant(folder, "A", a)
        set_constant(folder, "E", e)
        assert "KEEP" in gitexp("step", *again, "-m", f"A = {a}").stdout
    first, _, last = ledger_of(folder).iterations[1:]
    assert first.candidate.patch == last.candidate.patch
    gitexp("pick", "exp001", "--onto", "results")
    assert skipped(gitexp("pick", "--onto", "results").stdout) == ["exp001"]
    assert ids("results") == ["exp001", "exp002", "exp003"]
    assert content("results") == content("exp/train")


# -- what depends on what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said", "command"),
    [
        ("exp008", "exp008 changes train.py line 5, which exp002 wrote.", "gitexp pick exp002 exp008 --onto one"),
        ("exp004", "exp004 changes train.py line 1, which exp001 wrote.", "gitexp pick exp001 exp004 --onto one"),
        ("exp003", "exp003 changes train.py line 5, which exp002 wrote.", "gitexp pick exp002 exp003 --onto one"),
        (
            "exp006",
            "exp006 changes train.py beside line 1, which exp004 wrote; "
            "exp004 changes train.py line 1, which exp001 wrote.",
            "gitexp pick exp001 exp004 exp006 --onto one",
        ),
    ],
)
def test_a_dependency_is_named_and_the_command_that_is_offered_works(
    kept: Path, gitexp: Gitexp, scratch_home: Path, asked: str, said: str, command: str
) -> None:
    before, old = work_files(kept), refs(kept)
    check_refusal(gitexp("pick", asked, "--onto", "one", code=1), said, command)
    assert refs(kept) == old
    assert work_files(kept) == before
    check_nothing_left(kept, scratch_home)
    gitexp(*command.split()[1:])
    assert ids("one") == command.split()[2:-2]


def test_one_that_stands_alone_needs_no_other(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pick", "exp005", "--onto", "one")
    assert content("one") == TRAINER.replace("E = 1", "E = 3")


def test_what_the_branch_has_already_is_not_asked_for(kept: Path, gitexp: Gitexp) -> None:
    gitexp("pick", "exp002", "--onto", "one")
    gitexp("pick", "exp008", "--onto", "one")
    assert ids("one") == ["exp002", "exp008"]


def test_lines_that_a_left_out_keep_removed_are_named(folder: Path, gitexp: Gitexp) -> None:
    (folder / "train.py").write_text(TRAINER)
    commit_all(folder, "constants")
    gitexp("init", "--rule", "single")
    (folder / "train.py").write_text(TRAINER.replace("B = 1\n", "").replace("(A, B, C", "(A, 4, C"))
    gitexp("step", "-m", "less of B")
    set_constant(folder, "A", "2")
    gitexp("step", "-m", "A = 2")
    check_refusal(
        gitexp("pick", "exp002", "--onto", "one", code=1),
        "exp002 changes train.py at lines 1-2, where exp001 removed lines.",
        "gitexp pick exp001 exp002 --onto one",
    )


def test_a_file_that_a_left_out_keep_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp
) -> None:
    folder = make_repository(tmp_path / "repository", {"src/train.py": "print('val_bpb:', 3)\n", "src/data": "\0\n"})
    monkeypatch.chdir(folder)
    gitexp("init", "src/train.py", "--edit", "src", "--rule", "single")
    (folder / "src" / "more.py").write_text("LOSS = 2\n")
    (folder / "src" / "train.py").write_text("from more import LOSS\nprint('val_bpb:', LOSS)\n")
    gitexp("step", "-m", "another file")
    (folder / "src" / "more.py").write_text("LOSS = 1\n")
    gitexp("step", "-m", "a lower loss")
    (folder / "src" / "train.py").write_text("from more import LOSS\nprint('val_bpb:', LOSS / 2)\n")
    (folder / "src" / "data").write_bytes(b"\0one\n")
    gitexp("step", "-m", "half of it")
    (folder / "src" / "data").write_bytes(b"\0two\n")
    (folder / "src" / "train.py").write_text("\n\nfrom more import LOSS\nprint('val_bpb:', LOSS / 3)\n")
    gitexp("step", "-m", "a third of it")
    check_refusal(
        gitexp("pick", "exp002", "--onto", "one", code=1),
        "exp002 changes src/more.py line 1, which exp001 wrote.",
        "gitexp pick exp001 exp002 --onto one",
    )
    result = gitexp("pick", "exp001", "exp004", "--onto", "one", code=1)
    assert "src/data, which exp003 changed" in result.stderr
    assert "src/train.py line 2, which exp003 wrote" in result.stderr


def test_a_conflict_with_the_branchs_own_work_names_that(kept: Path, gitexp: Gitexp, scratch_home: Path) -> None:
    git("switch", "-q", "main")
    set_constant(kept, "A", "77")
    commit_all(kept, "Tune by hand")
    git("switch", "-q", "exp/train")
    before, old = work_files(kept), refs(kept)
    result = gitexp("pick", "exp001", "exp005", "--onto", "main", code=1)
    mine = git("rev-parse", "--short=10", "main").strip()
    commits = [ledger_of(kept).iterations[at].commit[:10] for at in (1, 5)]
    check_refusal(
        result,
        f"exp001 changes train.py line 1, and main has something else there ({mine} Tune by hand).",
        f"git switch main && git cherry-pick -x {' '.join(commits)}   # and resolve the conflict by hand",
    )
    assert refs(kept) == old
    assert work_files(kept) == before
    check_nothing_left(kept, scratch_home)
    chained = gitexp("pick", "exp004", "--onto", "main", code=1).stderr
    assert "exp004 changes train.py line 1, which exp001 wrote; exp001 changes train.py line 1, and main has" in chained


def test_what_was_picked_may_be_in_the_way_itself(kept: Path, gitexp: Gitexp) -> None:
    result = gitexp("pick", "exp002", "exp003", "exp008", "--onto", "one", code=1)
    assert "exp008 changes train.py line 5, and one has something else there (" in result.stderr
    assert " exp003 DISCARD 82.000000: D = 0)." in result.stderr
    by_hand = re.findall(r"try: (git switch -c one \S+) && (git cherry-pick -x \S+ \S+ \S+)   # and", result.stderr)
    git(*by_hand[0][0].split()[1:])
    picked = subprocess.run(by_hand[0][1].split(), capture_output=True, text=True, check=False)
    assert "CONFLICT (content): Merge conflict in train.py" in picked.stdout


def test_the_command_that_is_offered_names_the_experiment_where_it_must(kept: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "main")
    result = gitexp("pick", "-e", "train", "exp008", "--onto", "one", code=1)
    assert result.stderr.endswith("try: gitexp pick -e train exp002 exp008 --onto one\n")


def test_a_conflict_with_a_file_that_is_gone_or_another_kind(kept: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "-c", "gone", "main")
    git("rm", "-q", "train.py")
    git("commit", "-qm", "no trainer")
    git("switch", "-q", "-c", "binary", "main")
    (kept / "train.py").write_bytes(b"\0\n")
    commit_all(kept, "no text")
    git("switch", "-q", "exp/train")
    assert "exp005 changes train.py, which is not on gone." in gitexp("pick", "5", "--onto", "gone", code=1).stderr
    assert (
        "exp005 changes train.py, which is another file on binary"
        in gitexp("pick", "5", "--onto", "binary", code=1).stderr
    )


# -- which branches are moved ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("branch", "said", "hint"),
    [
        ("exp/other", "exp/other is an experiment: its commits are made by steps.", "gitexp pick --onto BRANCH"),
        ("a..b", "'a..b' is not a branch name.", "gitexp pick --onto BRANCH"),
        ("@{-1}", "'@{-1}' is not a branch name.", "gitexp pick --onto BRANCH"),
        ("-x", "'-x' is not a branch name.", "gitexp pick --onto BRANCH"),
        ("theirs", "There is no branch theirs here, but up/theirs.", "git branch theirs up/theirs"),
    ],
)
def test_branches_that_are_not_picked_onto(kept: Path, gitexp: Gitexp, branch: str, said: str, hint: str) -> None:
    git("switch", "-q", "exp/train")
    git("update-ref", "refs/remotes/up/theirs", "main")
    old = refs(kept)
    check_refusal(gitexp("pick", f"--onto={branch}", code=1), said, hint)
    assert refs(kept) == old


def test_a_branch_that_is_checked_out_here_is_not_moved(kept: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "main")
    result = gitexp("pick", "-e", "train", "--onto", "main", code=1)
    way_out = f"git -C {kept} switch --detach"
    said = f"main is checked out in {kept}, and would move under it."
    check_refusal(result, said, f"{way_out}   # then again; after that: switch main")
    subprocess.run(shlex.split(way_out), check=True, capture_output=True)
    assert "main was moved" in gitexp("pick", "-e", "train", "exp005", "--onto", "main").stdout
    git("switch", "-q", "main")
    assert (kept / "train.py").read_text() == TRAINER.replace("E = 1", "E = 3")


def test_a_branch_that_is_checked_out_elsewhere_is_not_moved(kept: Path, gitexp: Gitexp) -> None:
    other = kept.parent / "other"
    git("worktree", "add", "-q", str(other), "main")
    result = gitexp("pick", "--onto", "main", code=1)
    detach = f"git -C {other} switch --detach"
    said = f"main is checked out in {other}, and would move under it."
    check_refusal(
        result,
        said,
        f"{detach}   # then again; after that: switch main",
    )
    subprocess.run(shlex.split(detach), check=True, capture_output=True)
    assert "main was moved" in gitexp("pick", "exp001", "--onto", "main").stdout
    git("switch", "-q", "main", cwd=other)
    shutil.rmtree(other)
    check_refusal(gitexp("pick", "--onto", "main", code=1), said, "git worktree prune   # that folder is gone")


def test_a_branch_that_is_being_rebased_or_bisected_is_not_moved(kept: Path, gitexp: Gitexp) -> None:
    other = kept.parent / "other"
    git("worktree", "add", "-q", "-b", "topic", str(other), "main")
    set_constant(other, "A", "7")
    commit_all(other, "mine")
    gitexp("pick", "exp001", "--onto", "rival")
    subprocess.run(["git", "rebase", "rival"], cwd=other, capture_output=True, check=False)
    assert not git("branch", "--show-current", cwd=other)
    assert "topic is checked out in" in gitexp("pick", "exp005", "--onto", "topic", code=1).stderr
    git("rebase", "--abort", cwd=other)
    for number in range(3):
        git("commit", "-q", "--allow-empty", "-m", f"more {number}", cwd=other)
    git("bisect", "start", "topic", "main", cwd=other)
    assert not git("branch", "--show-current", cwd=other)
    assert "topic is checked out in" in gitexp("pick", "exp005", "--onto", "topic", code=1).stderr


def test_a_branch_that_moved_meanwhile_is_left_where_it_is(kept: Path, scratch_home: Path) -> None:
    repo = Repository.discover(kept)
    git("branch", "-q", "moving", "main")

    def meanwhile(work: Repository) -> None:
        git("update-ref", "refs/heads/moving", "exp/train", cwd=kept)

    with pytest.raises(GitexpError, match="git update-ref failed"):
        pick.pick(repo, ledger_of(kept), (), "moving", meanwhile)
    assert git("rev-parse", "moving") == git("rev-parse", "exp/train")
    check_nothing_left(kept, scratch_home)


# -- wherever it is run ------------------------------------------------------------------------------------------------


def test_a_dirty_checkout_is_not_touched(kept: Path, gitexp: Gitexp) -> None:
    set_constant(kept, "C", "9")
    git("add", "train.py")
    set_constant(kept, "C", "10")
    (kept / "EXPERIMENT.md").write_text("# mine\n")
    (kept / "new.txt").write_text("new\n")
    before = work_files(kept)
    gitexp("pick", "--onto", "results")
    assert work_files(kept) == before
    assert "C = 1\n" in content("results")


def test_from_a_linked_work_tree_and_a_folder_below(
    kept: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch, scratch_home: Path
) -> None:
    git("switch", "-q", "--detach", "main")
    other = kept.parent / "other"
    git("worktree", "add", "-q", str(other), "exp/train")
    (other / "below").mkdir()
    monkeypatch.chdir(other / "below")
    before = work_files(other)
    gitexp("pick", "--onto", "results")
    assert content("results") == content("exp/train")
    assert work_files(other) == before
    assert git("worktree", "list").count("\n") == 2
    assert list(scratch_home.iterdir()) == []


def test_with_head_detached_the_experiment_is_named(kept: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "--detach", "main")
    assert "HEAD is detached" in gitexp("pick", "--onto", "results", code=1).stderr
    gitexp("pick", "-e", "exp/train", "--onto", "main")
    assert content("main") == content("exp/train")


def test_in_a_bare_repository_and_in_a_clone(kept: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    git("clone", "-q", "--bare", str(kept), "../bare.git")
    monkeypatch.chdir(kept.parent / "bare.git")
    gitexp("pick", "-e", "train", "--onto", "main")  # the bare repository's HEAD is no checkout
    assert content("main") == content("exp/train")
    assert git("worktree", "list").count("\n") == 1
    git("clone", "-q", str(kept), "../clone")
    monkeypatch.chdir(kept.parent / "clone")
    gitexp("pick", "-e", "train", "--onto", "results")
    assert content("results") == content("origin/exp/train")


def test_from_a_git_alias_of_another_folder(kept: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(kept / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(kept))
    before = work_files(kept)
    gitexp("pick", "--onto", "results")
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_WORK_TREE")
    assert ids("results") == KEEPS
    assert work_files(kept) == before


def test_the_users_configuration_costs_no_pick_its_trailers(kept: Path, gitexp: Gitexp) -> None:
    set_constant(kept, "C", "2")
    gitexp("step", "-m", "C = 2\n\n# no comment")
    git("config", "core.commentChar", "E")
    git("config", "commit.cleanup", "strip")
    git("config", "trailer.separators", "=")
    git("config", "blame.ignoreRevsFile", "no-such-file")
    hooks = kept / ".git" / "hooks"
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\necho ran >> {kept.parent / 'ran'}\nexit 1\n")
        (hooks / name).chmod(0o755)
    gitexp("pick", "--onto", "results")
    assert not (kept.parent / "ran").exists()
    git("config", "--unset", "trailer.separators")
    assert "\n\n# no comment\n\n" in git("log", "-1", "--format=%B", "results")
    told = git("log", "--format=%(trailers:key=Exp-Id,valueonly,separator=%x2C)", "main..results").split()
    assert told == ["exp009", *KEEPS[::-1]]
    message = git("log", "-1", "--format=%B", "results").rstrip().splitlines()
    assert message[-1] == f"(cherry picked from commit {ledger_of(kept).iterations[9].commit})"
    assert message[-2].startswith("Exp-")
    git("-c", "core.hooksPath=/dev/null", "switch", "-q", "-c", "other", "main")
    set_constant(kept, "E", "8")
    git("-c", "core.hooksPath=/dev/null", "commit", "-qam", "other")
    git("-c", "core.hooksPath=/dev/null", "switch", "-q", "exp/train")
    assert "other has something else there" in gitexp("pick", "exp005", "--onto", "other", code=1).stderr


def test_what_cannot_be_signed_is_not_picked(kept: Path, gitexp: Gitexp, scratch_home: Path) -> None:
    git("config", "commit.gpgSign", "true")
    git("config", "gpg.program", "false")
    old = refs(kept)
    assert "git cherry-pick failed: " in gitexp("pick", "--onto", "results", code=1).stderr
    assert refs(kept) == old
    check_nothing_left(kept, scratch_home)


def test_a_repository_with_a_submodule(kept: Path, gitexp: Gitexp, scratch_home: Path) -> None:
    library = make_repository(kept.parent / "library", {"a": "a"})
    git("switch", "-q", "main")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "library")
    git("commit", "-qm", "a submodule")
    git("switch", "-q", "--discard-changes", "exp/train")
    gitexp("pick", "--onto", "main")
    assert ids("main", "main~6") == KEEPS
    assert list(scratch_home.iterdir()) == []
    assert git("worktree", "list").count("\n") == 1


@pytest.mark.parametrize("command", [["status"], ["recover"], ["log"], ["pick", "--onto", "results"]])
def test_the_scratch_tree_of_a_killed_gitexp_is_cleared_by_the_next_command(
    kept: Path, gitexp: Gitexp, scratch_home: Path, command: list[str]
) -> None:
    left, note = scratch_home / "gitexp-scratch-0123456789abcdef", kept / ".git/gitexp/scratch.txt"
    left.mkdir()
    (scratch_home / "somebodys").mkdir()
    note.write_text(str(left))
    gitexp(*command)
    assert [folder.name for folder in scratch_home.iterdir()] == ["somebodys"]
    assert not note.exists()


def test_a_note_that_names_another_folder_removes_nothing(kept: Path, gitexp: Gitexp, scratch_home: Path) -> None:
    (scratch_home / "somebodys").mkdir()
    (kept / ".git/gitexp/scratch.txt").write_text(str(scratch_home / "somebodys"))
    gitexp("status")
    assert (scratch_home / "somebodys").is_dir()


# -- --measure ---------------------------------------------------------------------------------------------------------


def test_measure_says_that_the_score_holds_and_moves_the_branch(kept: Path, gitexp: Gitexp, scratch_home: Path) -> None:
    before = work_files(kept)
    result = gitexp("pick", "--onto", "results", "--measure")
    assert "The picked code holds the score: equal to exp008 (2 runs against 1, noise 0.000000)." in result.stderr
    assert content("results") == content("exp/train")
    assert work_files(kept) == before
    check_nothing_left(kept, scratch_home)
    assert "pending" not in gitexp("status").stdout


def test_measure_moves_nothing_when_the_score_does_not_hold(kept: Path, gitexp: Gitexp, scratch_home: Path) -> None:
    old = refs(kept)
    log = f"less {kept}/.git/gitexp/train/logs/pick.log   # to pick it all the same: leave --measure out"
    worse = gitexp("pick", "exp005", "--onto", "results", "--measure", code=1)
    assert "The picked code does not hold the score: worse than exp008 by " in worse.stderr
    assert log in worse.stderr
    crashed = gitexp("pick", "exp005", "exp007", "--onto", "results", "--measure", code=1)
    assert (
        "The picked code crashed: exit 1: NameError: name 'oops' is not defined. Nothing was moved." in crashed.stderr
    )
    assert refs(kept) == old
    check_nothing_left(kept, scratch_home)


def test_measure_has_the_data_that_git_does_not_track_and_no_unsealed_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp, scratch_home: Path
) -> None:
    trainer = (
        "from pathlib import Path\nD = 1\nassert not Path('src/extra.py').exists()\n"
        "print('val_bpb:', int(Path('data/x').read_text()) - D)\n"
    )
    files = {"src/train.py": trainer, ".gitignore": "/data/\n"}
    folder = make_repository(tmp_path / "repository", files)
    monkeypatch.chdir(folder)
    (folder / "data").mkdir()
    (folder / "data" / "x").write_text("9")
    gitexp("init", "src/train.py", "--edit", "src", "--rule", "single")
    (folder / "src" / "train.py").write_text(trainer.replace("D = 1", "D = 2"))
    gitexp("step", "-m", "D = 2")
    (folder / "src" / "extra.py").write_text("an edit that is the next step's\n")
    gitexp("pick", "--onto", "results", "--measure")
    assert "D = 2" in content("results", "src/train.py")
    assert (folder / "data" / "x").read_text() == "9"
    check_nothing_left(folder, scratch_home)


def test_measure_needs_the_contract_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp) -> None:
    files = {"train.py": TRAINER, "score.py": "one\n"}
    folder = make_repository(tmp_path / "repository", files)
    monkeypatch.chdir(folder)
    gitexp("init", "--freeze", "score.py", "--rule", "single")
    set_constant(folder, "A", "2")
    gitexp("step", "-m", "A = 2")
    git("switch", "-q", "main")
    (folder / "score.py").write_text("another\n")
    commit_all(folder, "another evaluator")
    git("switch", "-q", "exp/train")
    said = "score.py is frozen in this experiment and differs on main: the scores could not be compared."
    assert said in gitexp("pick", "--onto", "main", "--measure", code=1).stderr
    hook_that(folder, "exit 1\n")
    changed = gitexp("pick", "--onto", "results", "--measure", code=1).stderr
    assert "is not the one the baseline was measured with" in changed
    gitexp("pick", "--onto", "main")


def test_standing_is_judged_by_the_noise_that_is_known(experiment: Path, gitexp: Gitexp) -> None:
    ledger = ledger_of(experiment)  # LR 0.1, twice 2.04: the default rule, no noise
    assert holds_against(ledger, {0: 2.04, 1: 2.04}, "exp000") == (
        True,
        "equal to exp000 (2 runs against 2, noise 0.000000)",
    )
    assert holds_against(ledger, {0: 2.05, 1: 2.05}, "exp000")[0] is False
    assert holds_against(ledger, {0: 2.03, 1: 2.03}, "exp000")[1].startswith("better than exp000 by 0.010000")


def test_standing_with_noise(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, 'echo "val_bpb: 2.0$RANDOM_SEED"\n')
    gitexp("init", "--budget", "5")
    ledger = ledger_of(folder)  # 2.00 and 2.01
    assert holds_against(ledger, {5: 2.008, 6: 2.011}, "exp000")[0]
    holds, why = holds_against(ledger, {5: 2.02, 6: 2.03}, "exp000")
    assert not holds
    assert why.startswith("worse than exp000 by 0.020000 (2 runs against 2, noise 0.007")


def test_standing_under_a_margin_allows_for_it_and_for_its_own_noise(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--rule", "margin 0.1", "--maximize")
    ledger = ledger_of(folder)
    assert holds_against(ledger, {0: 1.95, 1: 1.95}, "exp000")[0]
    assert not holds_against(ledger, {0: 1.9, 1: 1.9}, "exp000")[0]
    assert holds_against(ledger, {0: 2.2, 1: 1.7}, "exp000")[
        0
    ]  # one run of the baseline's: the only noise known is its own


def test_an_interrupted_measure_leaves_nothing(kept: Path, scratch_home: Path, gitexp: Gitexp) -> None:
    """The trainer itself presses ^C: its parent is the hook, and the hook's is gitexp."""
    interrupt = "import psutil, time; psutil.Process().parent().parent().send_signal(2); time.sleep(60)\n"
    old = refs(kept)
    git("switch", "-q", "-c", "slow", "main")
    (kept / "train.py").write_text(TRAINER + "\n\n" + interrupt)
    commit_all(kept, "slow")
    git("switch", "-q", "exp/train")
    before = work_files(kept)
    code = "import sys; from gitexp.cli import main; main()"
    command = [sys.executable, "-c", code, "pick", "exp005", "--onto", "slow", "--measure"]
    process = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(scratch_home)}, stderr=subprocess.PIPE)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    git("branch", "-q", "-D", "slow")
    assert refs(kept) == old
    assert work_files(kept) == before
    check_nothing_left(kept, scratch_home)


# -- lines -------------------------------------------------------------------------------------------------------------


def test_lines_as_text() -> None:
    assert conflict.line_numbers([4]) == "line 5"
    assert conflict.line_numbers([13, 2, 11, 12]) == "lines 3, 12-14"
    assert conflict.line_numbers([-1, 0]) == "line 1"


def test_traces_agree_with_git_blame(tmp_path: Path) -> None:
    """Random edits of a file of unique lines: where git's diff can be read in one way only."""
    dice = random.Random(7)
    folder = make_repository(tmp_path / "repository", {"f": "".join(f"start {n}\n" for n in range(30))})
    repo = Repository.discover(folder)
    commits = [git("rev-parse", "HEAD", cwd=folder).strip()]
    for edit in range(12):
        lines = (folder / "f").read_text().splitlines()
        at, removed, added = dice.randrange(len(lines) + 1), dice.randrange(4), dice.randrange(4)
        lines[at : at + removed] = [f"edit {edit}.{n}" for n in range(added + (not removed))]
        (folder / "f").write_text("".join(f"{line}\n" for line in lines))
        commits.append(commit_all(folder, f"edit {edit}"))
    edits = [(new, old, new) for old, new in itertools.pairwise(commits)][::-1]
    lines = (folder / "f").read_text().splitlines()
    found = conflict.traces(repo, "f", set(range(len(lines))), edits)
    blamed: dict[str, list[int]] = {}
    for number, line in enumerate(git("blame", "-l", "-s", "f", cwd=folder).splitlines()):
        blamed.setdefault(line.split()[0].lstrip("^"), []).append(number)
    blamed.pop(commits[0][: len(next(iter(blamed)))], None)
    blamed = {commit: numbers for commit, numbers in blamed.items() if commit in commits[1:]}
    assert {trace.edit: list(trace.written) for trace in found if trace.written} == blamed
    assert len(blamed) > 5
