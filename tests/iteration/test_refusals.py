"""What must never be credited, lost or overwritten: each of these was a bug once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitexp.model import Status
from tests.helpers.command_line import Gitexp, refused
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import start_step
from tests.helpers.repositories import TOY, git, set_lr

EVALUATE = "print('METRIC val_bpb=2.0')\n"


# -- a verdict that is not earned --------------------------------------------------------------------------------------


def test_a_run_that_rewrites_a_frozen_file_is_a_crash(folder: Path, gitexp: Gitexp) -> None:
    (folder / "evaluate.py").write_text(EVALUATE)
    git("add", "-A")
    git("commit", "-qm", "evaluator")
    gitexp("init", "--freeze", "evaluate.py")
    (folder / "train.py").write_text("open('evaluate.py', 'w').write('print(\"val_bpb: 0.1\")')\n")
    assert "exp001 CRASH" in (said := gitexp("step", "-m", "cheat").stdout)
    assert "evaluate.py is frozen, and was changed during the run" in said


@pytest.mark.parametrize(
    "cheat",
    [
        "print('val_bpb: 0.1')",
        "open('results.tsv', 'a').write('a\\t0.1\\t0\\tkeep\\tx\\n')",
        "import os; open(os.environ['GITEXP_RUN_DIR'] + '/metrics.json', 'w').write('{\"val_bpb\": 0.1}')",
        "import os; open(os.environ['GITEXP_RUN_DIR'] + '/results.tsv', 'w').write('a\\t0.1\\t0\\tkeep\\tx\\n')",
    ],
)
def test_beside_a_frozen_evaluator_the_trainers_word_does_not_count(folder: Path, gitexp: Gitexp, cheat: str) -> None:
    (folder / "evaluate.py").write_text(EVALUATE)
    git("add", "-A")
    git("commit", "-qm", "evaluator")
    gitexp("init", "--freeze", "evaluate.py")
    (folder / "train.py").write_text(cheat + "\n")
    assert "exp001 DISCARD 2.000000" in gitexp("step", "-m", "cheat").stdout


def test_a_proposer_that_changes_the_hook_or_a_frozen_file(folder: Path, gitexp: Gitexp) -> None:
    (folder / "data.txt").write_text("1")
    git("add", "-A")
    git("commit", "-qm", "data")
    gitexp("init", "--in-place", "--freeze", "data.txt")
    edit = "sed -i.bak s/0.1/0.2/ train.py; rm -f train.py.bak; "
    said = gitexp("step", "-m", "x", "--", "sh", "-c", edit + "echo 2 > data.txt", code=1).stderr
    assert "data.txt" in said
    git("checkout", "-q", "data.txt", "train.py")
    said = gitexp("step", "-m", "x", "--", "sh", "-c", edit + "echo echo >> .git/hooks/post-run", code=1).stderr
    assert "is not the one the baseline was measured with" in said


def test_a_proposer_that_commits_is_told_how_to_take_it_back(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--in-place")
    script = "sed -i.bak s/0.1/0.2/ train.py; git commit -qam agent"
    said = gitexp("step", "-m", "x", "--", "sh", "-c", script, code=1).stderr
    assert "committed or switched branches" in said
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout


def test_what_a_commit_by_hand_brings_is_not_credited_to_the_next_step(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.3)
    git("commit", "-qam", "by hand")
    (experiment / "train.py").write_text((experiment / "train.py").read_text() + "# harmless\n")
    said = refused(gitexp, experiment, "step", "-m", "harmless")
    assert "The tip is not what exp000 measured" in said
    assert "by hand" in said
    subprocess.run(said.split("try: ")[1].split("#")[0], shell=True, check=True)
    assert "exp001 KEEP 2.000000" in gitexp("step", "-m", "both").stdout


def test_a_commit_by_hand_that_changes_nothing_is_no_obstacle(experiment: Path, gitexp: Gitexp) -> None:
    git("commit", "-q", "--allow-empty", "-m", "a remark")
    set_lr(experiment, 0.2)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout


def test_a_keep_that_was_reverted_by_hand_is_not_the_tip(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "LR 0.2")
    git("revert", "--no-edit", "HEAD")
    set_lr(experiment, 0.15)
    assert "The tip is not what exp001 measured" in refused(gitexp, experiment, "step", "-m", "x")
    assert len(ledger_of(experiment).foreign_commits) == 1


def test_an_amended_keep_is_no_iteration_any_more(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "LR 0.2")
    set_lr(experiment, 0.5)
    git("commit", "-q", "--amend", "--no-edit", "-a")
    assert [i.id for i in ledger_of(experiment).iterations] == ["exp000"]
    assert "exp001 KEEP" in ledger_of(experiment).foreign_commits[0]


def test_a_rule_of_another_gitexp_is_refused(experiment: Path, gitexp: Gitexp) -> None:
    message = git("log", "-1", "--format=%B").replace("Exp-Rule: confirm", "Exp-Rule: paired")
    git("commit", "-q", "--amend", "--allow-empty", "-F", "-", stdin=message)
    set_lr(experiment, 0.2)
    assert "this gitexp knows: single" in refused(gitexp, experiment, "step", "-m", "x")


@pytest.mark.parametrize(
    ("script", "score"),
    [
        (
            "print('val_bpb: 0.99')\n"
            "open('results.tsv', 'a').write('epoch\\tloss\\tlr\\tgrad\\ttime\\n1\\t.1\\t1\\t1\\t1\\n')",
            0.99,
        ),
        ("print('val_bpb: 0.99'); open('results.tsv','a').write('abc\\t0.0\\t0.0\\tcrash\\toom\\n')", 0.99),
        ("print('val_bpb: 1.0\\n---\\nval_bpb: diverged')", None),
    ],
)
def test_a_row_or_line_that_is_no_score_is_not_taken_for_one(
    experiment: Path, gitexp: Gitexp, script: str, score: float | None
) -> None:
    (experiment / "train.py").write_text(script + "\n")
    gitexp("step", "-m", "x")
    assert ledger_of(experiment).iterations[-1].score == score


def test_two_experiments_do_not_run_in_one_work_tree_at_once(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, 'grep -q 0.9 train.py && { touch "$GITEXP_RUN_DIR/../running"; sleep 60; }\necho val_bpb: 2\n')
    gitexp("init", "--in-place", "--budget", "5")
    set_lr(folder, 0.9)
    process = start_step(folder)
    assert "This work tree is in use by gitexp step" in gitexp("init", "--name", "other", code=1).stderr
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130


# -- something lost ----------------------------------------------------------------------------------------------------


def test_a_run_that_is_skipped_after_it_changed_the_script_hands_the_edit_back(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "grep -q 0.1 train.py && echo val_bpb: 2 && exit 0; git checkout -q -- train.py; exit 125\n")
    gitexp("init")
    set_lr(folder, 0.9)
    gitexp("step", "-m", "x", code=1)
    assert "LR = 0.9" in (folder / "train.py").read_text()


def test_an_edit_that_cannot_be_handed_back_is_kept_by_a_ref(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "grep -q 0.1 train.py && echo val_bpb: 2 && exit 0; echo mine > train.py; exit 125\n")
    gitexp("init", "--in-place")
    set_lr(folder, 0.9)
    said = gitexp("step", "-m", "x", code=1).stderr
    ref = said.split("the edit is kept as ")[1].split(".")[0]
    assert "LR = 0.9" in git("show", f"{ref}:train.py")
    assert (folder / "train.py").read_text() == "mine\n"


def test_a_failed_template_takes_only_its_own_bytes_back(folder: Path, gitexp: Gitexp) -> None:
    git("rm", "-q", "train.py")
    git("commit", "-qm", "none")
    hook_that(folder, 'echo "# my idea" >> train.py; exit 1\n')
    gitexp("init", "--template", "mlx", "--in-place", code=1)
    assert (folder / "train.py").read_text().endswith("# my idea\n")
    assert not (folder / "prepare.py").exists()


def test_what_was_staged_during_the_run_stays_staged(folder: Path, gitexp: Gitexp) -> None:
    script = "cp train.py c; echo LR = 77 > train.py; git add train.py; cp c train.py; rm c"
    hook_that(folder, f"grep -q 0.2 train.py && {{ {script}; echo val_bpb: 1; }} || echo val_bpb: 2\n")
    gitexp("init", "--in-place")
    set_lr(folder, 0.2)
    assert "train.py was changed during the run" in gitexp("step", "-m", "x").stdout
    assert git("show", ":train.py") == "LR = 77\n"


def test_a_folder_that_came_to_stand_in_the_way_is_left(folder: Path, gitexp: Gitexp) -> None:
    (folder / "cache").write_text("x")
    git("add", "-A")
    git("commit", "-qm", "cache")
    hook_that(folder, "[ -f cache ] && echo val_bpb: 2 && exit 0; mkdir cache; touch cache/mine; echo val_bpb: 3\n")
    gitexp("init", "--in-place", "--edit", "cache", "--edit", "train.py")
    (folder / "cache").unlink()
    assert "cache was changed during the run" in gitexp("step", "-m", "x").stdout
    assert (folder / "cache" / "mine").exists()
    assert len(ledger_of(folder).iterations) == 2


def test_a_notebook_that_is_no_plain_file_is_left_alone(folder: Path, gitexp: Gitexp) -> None:
    (folder / "notes.md").write_text("mine")
    (folder / "EXPERIMENT.md").symlink_to("notes.md")
    assert "EXPERIMENT.md is not a plain file here" in refused(gitexp, folder, "init")


def test_views_that_cannot_be_written_do_not_cost_the_verdict(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / "results.tsv").unlink()
    (experiment / "results.tsv").mkdir()
    set_lr(experiment, 0.2)
    result = gitexp("step", "-m", "x")
    assert "exp001 KEEP" in result.stdout
    assert "The views were not written" in result.stderr


def test_a_second_interrupt_leaves_nothing_running(folder: Path, gitexp: Gitexp) -> None:
    marks = f'echo $$ > {folder}/pid; touch "$GITEXP_RUN_DIR/../running"'
    stubborn = f"trap '' TERM INT; {marks}; while :; do sleep 0.1; done"
    hook_that(folder, f"grep -q 0.9 train.py && {{ {stubborn}; }}\necho val_bpb: 2\n")
    gitexp("init", "--budget", "5")
    set_lr(folder, 0.9)
    process = start_step(folder)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)


@pytest.mark.slow
def test_nohup_is_respected(folder: Path, gitexp: Gitexp) -> None:
    slow = 'grep -q 0.9 train.py && { touch "$GITEXP_RUN_DIR/../running"; sleep 1; }\necho val_bpb: 2\n'
    hook_that(folder, slow)
    gitexp("init", "--budget", "5")
    set_lr(folder, 0.9)
    process = subprocess.Popen(["nohup", sys.executable, "-m", "gitexp", "step", "-m", "x"])
    while not (folder / ".git/gitexp/train/running").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    assert process.wait() == 0


def test_a_signal_without_a_name_is_a_crash(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "grep -q 0.9 train.py && kill -40 $$\necho val_bpb: 2\n")
    gitexp("init")
    set_lr(folder, 0.9)
    assert "killed by signal 40" in gitexp("step", "-m", "x").stdout


# -- what git would not hold -------------------------------------------------------------------------------------------


def test_paths_that_git_would_not_hold(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    (folder / ".gitignore").write_text("ignored/\n")
    git("add", "-A")
    git("commit", "-qm", "ignore")
    (folder / "ignored").mkdir()
    (folder / "ignored" / "x").write_text("x")
    (folder / "untracked").mkdir()
    assert "holds no file that git tracks" in refused(gitexp, folder, "init", "--freeze", "untracked")
    (tmp_path / "outside.py").write_text(TOY)
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    assert "link.py cannot be committed here" in gitexp("init", "link.py", code=1).stderr
    git("init", "-q", "nested")
    (folder / "nested" / "train.py").write_text(TOY)
    assert "cannot be committed here" in gitexp("init", "nested/train.py", code=1).stderr
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "train.py").write_text(TOY)
    (folder / "linked").symlink_to(tmp_path / "folder")
    assert "cannot be committed here" in gitexp("init", "linked/train.py", code=1).stderr


def test_a_file_git_is_told_to_ignore(experiment: Path, gitexp: Gitexp) -> None:
    git("update-index", "--assume-unchanged", "train.py")
    set_lr(experiment, 0.2)
    assert "exp001 KEEP 2.010000" in gitexp("step", "-m", "x").stdout
    assert "LR = 0.2" in git("show", "HEAD:train.py")


@pytest.mark.parametrize("flag", ["assume-unchanged", "skip-worktree"])
def test_a_file_git_is_told_to_ignore_in_an_editable_folder(folder: Path, gitexp: Gitexp, flag: str) -> None:
    gitexp("init", "--edit", ".")
    git("update-index", f"--{flag}", "train.py")
    set_lr(folder, 0.2)
    said = refused(gitexp, folder, "step", "-m", "x")
    assert f"git is told to ignore changes of train.py ({flag})" in said
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    assert f"git is told to ignore changes of train.py ({flag})" not in gitexp("step", "-m", "x", code=None).stderr


def test_the_views_are_in_no_iteration_even_if_everything_may_change(folder: Path, gitexp: Gitexp) -> None:
    (folder / "EXPERIMENT.md").write_text("## Current goal\n\nlow\n")
    gitexp("init", "--edit", ".")
    set_lr(folder, 0.2)
    gitexp("step", "-m", "x")
    assert git("ls-files").split() == ["train.py"]


def test_what_a_run_leaves_in_an_editable_folder_is_pointed_out(folder: Path, gitexp: Gitexp) -> None:
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text("a")
    git("add", "-A")
    git("commit", "-qm", "src")
    hook_that(folder, "grep -q 0.2 train.py && touch src/model.bin\necho val_bpb: 2\n")
    gitexp("init", "--edit", "src", "--edit", "train.py", "--in-place")
    set_lr(folder, 0.2)
    assert "New in an editable folder: src/model.bin." in gitexp("step", "-m", "x").stderr


def test_the_advice_works_from_a_subfolder(experiment: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    (experiment / "sub dir").mkdir()
    monkeypatch.chdir(experiment / "sub dir")
    set_lr(experiment, 0.2)
    git("add", "-A", cwd=experiment)
    said = gitexp("step", "-m", "x", code=1).stderr
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout


def test_a_tag_of_the_branchs_name_is_no_obstacle(experiment: Path, gitexp: Gitexp) -> None:
    git("tag", "exp/train")
    set_lr(experiment, 0.2)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout


def test_a_hook_that_checks_something_else_out_during_the_baseline(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "git switch -q -c other\necho val_bpb: 2\n")
    assert "Another commit was checked out while the baseline ran" in gitexp("init", "--in-place", code=1).stderr
    assert git("for-each-ref", "refs/heads/exp", "refs/gitexp") == ""


def test_an_empty_journal_is_no_obstacle(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / ".git/gitexp/train/pending.json").write_text("")
    set_lr(experiment, 0.2)
    gitexp("status")
    assert ledger_of(experiment).count(Status.KEEP) == 1
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout


def test_a_commit_dressed_as_a_remark_is_credited_to_nobody(experiment: Path, gitexp: Gitexp) -> None:
    """What it changes would be credited to the next candidate: it is foreign to every reader, at once and read anew."""
    (experiment / "util.py").write_text("BONUS = 1\n")
    git("add", "util.py")
    base = git("rev-parse", "HEAD").strip()
    subject = "Reset the circuit breaker after exp000: x"
    git("commit", "-q", "-m", f"{subject}\n\nExp-Remark: breaker exp000\nExp-Base: {base}\nExp-Note: x")
    set_lr(experiment, 0.2)
    assert f"{subject} was not made by gitexp" in refused(gitexp, experiment, "step", "-m", "LR 0.2")
    for _ in range(2):
        status = json.loads(gitexp("status", "--json").stdout)
        assert [subject in commit for commit in status["foreign_commits"]] == [True]
        shutil.rmtree(experiment / ".git/gitexp/train/cache")
    assert "remark: " in gitexp("fsck", code=1).stdout
