"""``gitexp step``: the verdicts, the branch they leave, and what is refused with nothing lost."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from gitexp import files
from gitexp.model import Status
from tests.helpers.command_line import Gitexp, refused
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import start_step
from tests.helpers.repositories import TOY, git, set_lr


def tree(revision: str) -> str:
    return git("rev-parse", f"{revision}^{{tree}}").strip()


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_a_keep_is_one_commit_that_stays(experiment: Path, gitexp: Gitexp) -> None:
    before = git("rev-parse", "HEAD").strip()
    set_lr(experiment, 0.2)
    result = gitexp("step", "-m", "LR 0.1 -> 0.2", "--hypothesis", "too low", "--next", "0.3", "--note", "n")
    assert "exp001 KEEP 2.010000 (-0.030000 against exp000): LR 0.1 -> 0.2" in result.stdout
    assert git("rev-parse", "HEAD^").strip() == before
    assert git("diff", "--name-only", "HEAD^", "HEAD") == "train.py\n"
    assert git("status", "--porcelain") == ""
    kept = ledger_of(experiment).incumbent
    assert (kept.id, kept.score, kept.notes.hypothesis, kept.notes.next, kept.notes.note) == (
        "exp001",
        2.01,
        "too low",
        ("0.3",),
        "n",
    )


def test_a_discard_is_a_commit_and_its_revert(experiment: Path, gitexp: Gitexp) -> None:
    index = (experiment / ".git" / "index").read_bytes()
    set_lr(experiment, 0.9)
    result = gitexp("step", "-m", "LR 0.9")
    assert "exp001 DISCARD 2.360000 (+0.320000 against exp000): LR 0.9" in result.stdout
    assert git("log", "--format=%s", "-2").splitlines() == [
        'Revert "exp001 DISCARD 2.360000: LR 0.9"',
        "exp001 DISCARD 2.360000: LR 0.9",
    ]
    assert tree("HEAD") == tree("HEAD~2")
    assert "LR = 0.9" in git("show", "HEAD~1:train.py")
    assert (
        git("show", "-s", "--format=%B", "HEAD").splitlines()[2]
        == f"This reverts commit {git('rev-parse', 'HEAD~1').strip()}."
    )
    assert (experiment / ".git" / "index").read_bytes() == index
    assert (experiment / "train.py").read_text() == TOY
    assert git("status", "--porcelain") == ""


def test_a_crash_says_why_and_is_reverted(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, "[][1]")
    result = gitexp("step", "-m", "oops")
    assert "exp001 CRASH: oops" in result.stdout
    assert "exit 1: IndexError: list index out of range" in result.stdout
    crash = ledger_of(experiment).iterations[-1]
    assert crash.status is Status.CRASH
    assert crash.score is None
    assert crash.measurement.error == "IndexError in train.py:<module>: list index out of range"
    assert tree("HEAD") == tree("HEAD~2")
    assert (experiment / "train.py").read_text() == TOY


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo hello; exit 0", "no score: val_bpb was not printed"),
        ("echo val_bpb: nan", "no score: val_bpb is nan"),
        ("echo val_bpb: inf", "no score: val_bpb is inf"),
        ("echo val_bpb: 1; exit 3", "exit 3"),
        ("kill -9 $$", "killed by SIGKILL"),
        ("echo val_bpb: 1; sleep 60", "timeout: still running after 0.4 s"),
    ],
)
def test_what_counts_as_a_crash(folder: Path, gitexp: Gitexp, script: str, words: str) -> None:
    hook_that(folder, f"grep -q 0.1 train.py && echo val_bpb: 2 && exit 0\n{script}\n")
    gitexp("init", "--budget", "0.1", "--timeout", "0.4")
    set_lr(folder, 0.9)
    assert words in gitexp("step", "-m", "x").stdout
    assert ledger_of(folder).iterations[-1].status is Status.CRASH


def test_an_equal_score_is_no_improvement(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / "train.py").write_text(TOY + "# the same\n")
    assert "equal to exp000 (1 run against 2, noise 0.000000)" in gitexp("step", "-m", "comment").stdout


def test_maximize(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--maximize")
    set_lr(folder, 0.9)
    assert "KEEP 2.360000 (+0.320000 against exp000)" in gitexp("step", "-m", "x").stdout


def test_a_keep_cherry_picks_onto_main(experiment: Path, gitexp: Gitexp) -> None:
    for lr in (0.2, 0.9, 0.25, "oops", 0.3):
        set_lr(experiment, lr)
        gitexp("step", "-m", f"LR {lr}")
    keeps = [i.commit for i in ledger_of(experiment).iterations if i.status is Status.KEEP and not i.contract]
    assert len(keeps) == 3
    git("switch", "-q", "main")
    for commit in keeps:
        git("cherry-pick", "-x", commit)
    assert git("diff", "main", "exp/train") == ""


def test_json_and_exit_code(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.9)
    found = json.loads(gitexp("step", "-m", "x", "--json", "--exit-code", code=10).stdout)
    assert (found["id"], found["status"], found["score"], found["incumbent"]["id"]) == (
        "exp001",
        "DISCARD",
        2.36,
        "exp000",
    )
    assert found["commit"] == git("rev-parse", "HEAD~1").strip()
    assert Path(found["log"]).read_text().startswith("---\nval_bpb: 2.36")
    set_lr(experiment, "oops")
    assert json.loads(gitexp("step", "-m", "x", "--json", "--exit-code", code=11).stdout)["score"] is None
    set_lr(experiment, 0.3)
    gitexp("step", "-m", "x", "--exit-code", code=0)


def test_the_command_makes_the_edit(experiment: Path, gitexp: Gitexp, capfd: pytest.CaptureFixture[str]) -> None:
    script = "echo chatter; sed -i.bak 's/0.1/0.2/' train.py && rm train.py.bak"
    result = gitexp("step", "-m", "by sed", "--", "sh", "-c", script)
    assert "exp001 KEEP" in result.stdout
    assert "chatter" not in result.stdout
    assert "chatter" in capfd.readouterr().err


def test_the_hook_is_given_the_contract(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, 'env > "$GITEXP_RUN_DIR/../seen"; echo val_bpb: 1\n')
    gitexp("init", "--rule", "single", "--budget", "7", "--seed", "5", "--name", "a b".replace(" ", "-"))
    seen = dict(
        line.split("=", 1) for line in (folder / ".git/gitexp/a-b/seen").read_text().splitlines() if "=" in line
    )
    wanted = {"TIME_BUDGET": "7", "RANDOM_SEED": "5", "METRIC": "val_bpb", "EXPERIMENT_ID": "exp000"}
    assert wanted.items() <= seen.items()
    assert seen["GITEXP_SCRIPT"] == "train.py"
    assert seen["GIT_AUTHOR_NAME"] == "Ada Lovelace"
    assert not {"GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX"} & set(seen)


# -- the text people give --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines\n\nand a paragraph",
        "\x1b[31mred\x1b[0m \x07 bell \u202e rtl",
        "long " * 2000,
        "x\n\nExp-Status: KEEP\nExp-Score: 0.1\nExp-Id: exp009\n",
        "Exp-Id: exp009",
        'exp007 KEEP 0.1: "quoted": and: colons',
        "--- \n-- \n# heading",
        "名前 ünï 🎉",
        "tab\there",
    ],
)
def test_any_description_is_only_a_description(experiment: Path, gitexp: Gitexp, text: str) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", text, "--hypothesis", text, "--note", text, "--next", text)
    ledger = ledger_of(experiment)
    assert [(i.id, i.status, i.score) for i in ledger.iterations[1:]] == [("exp001", Status.KEEP, 2.01)]
    assert ledger.iterations[1].notes.hypothesis == text
    assert ledger.notes.next == (text,)
    assert not ledger.hidden_trailers
    listed = git("log", "-1", "--format=%(trailers:only,unfold)").splitlines()
    assert [line for line in listed if line.startswith(("Exp-Id", "Exp-Score"))] == [
        "Exp-Id: exp001",
        "Exp-Score: 2.01",
    ]
    subject = git("log", "-1", "--format=%s").rstrip("\n")
    assert subject.startswith("exp001 KEEP 2.010000: ")
    assert len(subject) < 240
    row = (experiment / "results.tsv").read_text().splitlines()[2].split("\t")
    assert len(row) == 10
    everything = git("log", "-1", "--format=%B") + (experiment / "EXPERIMENT.md").read_text()
    assert "\x1b" not in everything
    assert "\u202e" not in everything


def test_an_empty_description_is_refused(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    assert "A step needs a description of the change." in refused(gitexp, experiment, "step", "-m", " \n ")


# -- refusals --------------------------------------------------------------------------------------------------------


def test_nothing_changed(experiment: Path, gitexp: Gitexp) -> None:
    assert "Nothing changed in train.py since exp000." in refused(gitexp, experiment, "step", "-m", "x")


def test_an_edit_outside_the_editable_paths(folder: Path, gitexp: Gitexp) -> None:
    (folder / "a file ünï.txt").write_text("1")
    git("add", "-A")
    git("commit", "-qm", "more")
    gitexp("init")
    set_lr(folder, 0.2)
    (folder / "a file ünï.txt").write_text("2")
    assert "a file ünï.txt differs from HEAD" in refused(gitexp, folder, "step", "-m", "x")
    assert (folder / "a file ünï.txt").read_text() == "2"


def test_a_changed_frozen_file(folder: Path, gitexp: Gitexp) -> None:
    (folder / "data.txt").write_text("1")
    git("add", "-A")
    git("commit", "-qm", "data")
    gitexp("init", "--freeze", "data.txt")
    set_lr(folder, 0.2)
    (folder / "data.txt").write_text("2")
    assert "data.txt is frozen in this experiment" in refused(gitexp, folder, "step", "-m", "x")
    git("commit", "-qam", "sneak it in")
    assert "data.txt is frozen in this experiment" in refused(gitexp, folder, "step", "-m", "x")
    (folder / "data.txt").unlink()
    assert "data.txt is frozen in this experiment" in refused(gitexp, folder, "step", "-m", "x")


def test_a_dirty_index(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    git("add", "train.py")
    said = refused(gitexp, experiment, "step", "-m", "x")
    assert "The index has staged changes (train.py)" in said
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    assert "KEEP" in gitexp("step", "-m", "x").stdout


def test_a_detached_head(experiment: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "--detach")
    set_lr(experiment, 0.2)
    assert "HEAD is detached" in refused(gitexp, experiment, "step", "-m", "x")


def test_a_branch_that_is_no_experiment(experiment: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "main")
    set_lr(experiment, 0.2)
    said = refused(gitexp, experiment, "step", "-m", "x")
    assert "The branch main is not an experiment." in said
    assert "try: git switch --merge exp/train" in said
    git("switch", "-q", "--merge", "exp/train")
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout
    git("switch", "-q", "main")
    assert "try: git switch exp/train" in refused(gitexp, experiment, "step", "-m", "x")


def test_a_branch_that_only_looks_like_one(folder: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "-c", "exp/fake")
    set_lr(folder, 0.2)
    assert "exp/fake holds no baseline" in refused(gitexp, folder, "step", "-m", "x")


def test_an_unknown_format(experiment: Path, gitexp: Gitexp) -> None:
    message = git("log", "-1", "--format=%B").replace("Exp-Format: 2", "Exp-Format: 3")
    git("commit", "-q", "--amend", "--allow-empty", "-F", "-", stdin=message)
    set_lr(experiment, 0.2)
    assert "This experiment is of format 3; this gitexp reads formats 1 and 2." in refused(
        gitexp, experiment, "step", "-m", "x"
    )


def test_a_rebased_experiment(experiment: Path, gitexp: Gitexp) -> None:
    git("commit", "-q", "--amend", "--allow-empty", "--no-edit", "--date=2020-01-01T00:00:00Z")
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "an amended date changes the id, not the parent")
    git("switch", "-q", "main")
    git("commit", "-q", "--allow-empty", "-m", "more")
    git("switch", "-q", "exp/train")
    git("rebase", "-q", "--keep-empty", "main")
    assert "was rebased since" in gitexp("log", code=1).stderr


def test_no_hook_and_one_without_its_run_bit(experiment: Path, gitexp: Gitexp) -> None:
    hook = experiment / ".git" / "hooks" / "post-run"
    set_lr(experiment, 0.2)
    hook.chmod(0o644)
    said = refused(gitexp, experiment, "step", "-m", "x")
    assert "has no run bit" in said
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    hook.rename(hook.with_name("away"))
    assert "try: gitexp hook --install" in refused(gitexp, experiment, "step", "-m", "x")
    gitexp("hook", "--install")
    assert "KEEP" in gitexp("step", "-m", "x").stdout


def test_another_hook_than_the_baselines(experiment: Path, gitexp: Gitexp) -> None:
    hook_that(experiment, "echo val_bpb: 0.001\n")
    set_lr(experiment, 0.2)
    assert "is not the one the baseline was measured with" in refused(gitexp, experiment, "step", "-m", "x")
    assert "another one" in gitexp("hook").stdout


@pytest.mark.parametrize(("exit_code", "words"), [(125, "asked to skip"), (127, "cannot run"), (126, "cannot run")])
def test_skip_and_cannot_run_record_nothing(folder: Path, gitexp: Gitexp, exit_code: int, words: str) -> None:
    hook_that(folder, f"grep -q 0.1 train.py && echo val_bpb: 2 && exit 0\necho because; exit {exit_code}\n")
    gitexp("init")
    set_lr(folder, 0.9)
    said = refused(gitexp, folder, "step", "-m", "x")
    assert words in said
    assert "because" in said
    assert "LR = 0.9" in (folder / "train.py").read_text()
    assert git("for-each-ref", "refs/gitexp") == ""


def test_a_command_that_fails_or_does_not_exist(experiment: Path, gitexp: Gitexp) -> None:
    assert "failed (exit 3)" in refused(gitexp, experiment, "step", "-m", "x", "--", "sh", "-c", "exit 3")
    assert "cannot be run" in refused(gitexp, experiment, "step", "-m", "x", "--", "no-such-command")


def test_a_second_step_is_refused_at_once(experiment: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE", 10)
    set_lr(experiment, 0.2)
    with open(experiment / ".git/gitexp/train/lock", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(b"gitexp step (process 12345)")
        lock.flush()
        assert "exp/train is in use by gitexp step (process 12345)." in refused(gitexp, experiment, "step", "-m", "x")
    assert "KEEP" in gitexp("step", "-m", "x").stdout


def test_a_folder_that_cannot_be_written_to(experiment: Path, gitexp: Gitexp) -> None:
    """A file where a folder should be fails like a read-only disk does, for root too."""
    place = experiment / ".git" / "gitexp" / "train"
    place.rename(place.with_name("aside"))
    place.write_text("")
    set_lr(experiment, 0.2)
    result = gitexp("step", "-m", "x", code=1)
    assert str(place) in result.stderr
    assert "Traceback" not in result.stderr
    assert "LR = 0.2" in (experiment / "train.py").read_text()


# -- what else lies in the work tree ---------------------------------------------------------------------------------


def test_undo_touches_only_the_candidates_paths(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / "untracked.txt").write_text("mine")
    (experiment / "link").symlink_to("untracked.txt")
    set_lr(experiment, 0.9)
    gitexp("step", "-m", "x")
    assert (experiment / "untracked.txt").read_text() == "mine"
    assert os.readlink(experiment / "link") == "untracked.txt"


@pytest.mark.parametrize("command", [("step", "-m", "next"), ("recover",)])
def test_an_editor_that_writes_into_the_file_it_has_open_loses_nothing(
    experiment: Path, gitexp: Gitexp, command: tuple[str, ...]
) -> None:
    set_lr(experiment, 0.9)
    with (experiment / "train.py").open("r+") as editor:
        assert "DISCARD" in gitexp("step", "-m", "x").stdout
        editor.write("# a day's work\n")
    assert git("status", "--porcelain") == ""
    said = gitexp("status").stderr
    assert "train.py was saved after the last step had put it back: that save is kept as refs/gitexp/saved/" in said
    ref = said.strip().partition("kept as ")[2].rstrip(".")
    assert git("show", f"{ref}:train.py").startswith("# a day's work\n")
    set_lr(experiment, 0.3)
    assert said in gitexp(*command).stderr
    assert gitexp("status").stderr == ""
    assert git("show", f"{ref}:train.py").startswith("# a day's work\n")


def test_a_file_edited_during_the_run_is_left_alone(folder: Path, gitexp: Gitexp) -> None:
    hook_that(
        folder, "echo val_bpb: $(grep -c . train.py); grep -q 0.9 train.py && echo '# meanwhile' >> train.py\nexit 0\n"
    )
    gitexp("init", "--in-place")
    (folder / "train.py").write_text(TOY.replace("0.1", "0.9", 1) + "# longer\n")
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "train.py was changed during the run: no verdict" in said
    assert "train.py was changed since and is left as it is" in said
    ref = said.partition("the edit is kept as ")[2].split()[0].rstrip(".")
    assert git("show", f"{ref}:train.py").endswith("# longer\n")
    assert (folder / "train.py").read_text().endswith("# meanwhile\n")
    assert len(ledger_of(folder).iterations) == 1


def test_new_deleted_linked_and_executable_files_come_and_go(folder: Path, gitexp: Gitexp) -> None:
    src = folder / "src"
    src.mkdir()
    (src / "gone.py").write_text("gone")
    (src / "run.sh").write_text("#!/bin/sh\n")
    (src / "link").symlink_to("gone.py")
    (src / "crlf.txt").write_bytes(b"a\r\nb\r\n")
    (folder / ".gitattributes").write_text("*.txt text eol=crlf\n")
    git("add", "-A")
    git("commit", "-qm", "src")
    gitexp("init", "--edit", "src", "--edit", "train.py")
    base = tree("HEAD")

    def edit() -> None:
        (src / "gone.py").unlink()
        (src / "run.sh").chmod(0o755)
        (src / "link").unlink()
        (src / "link").symlink_to("run.sh")
        (src / "crlf.txt").write_bytes(b"a\r\nc\r\n")
        (src / "deep" / "er").mkdir(parents=True)
        (src / "deep" / "er" / "new 'ünï'.py").write_text("new")

    edit()
    set_lr(folder, 0.9)
    assert "DISCARD" in gitexp("step", "-m", "worse").stdout
    assert git("status", "--porcelain") == ""
    assert tree("HEAD") == base
    assert not (src / "deep").exists()
    assert not os.access(src / "run.sh", os.X_OK)
    assert os.readlink(src / "link") == "gone.py"
    assert (src / "crlf.txt").read_bytes() == b"a\r\nb\r\n"

    edit()
    set_lr(folder, 0.2)
    assert "KEEP" in gitexp("step", "-m", "better").stdout
    assert git("status", "--porcelain") == ""
    git("add", "-A")
    assert git("write-tree").strip() == tree("HEAD")


def test_a_commit_during_the_run_leaves_the_edit_and_says_so(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "grep -q 0.9 train.py && git commit -q --allow-empty -m sneaky\necho val_bpb: 2\n")
    gitexp("init", "--in-place")
    set_lr(folder, 0.9)
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "exp/train moved to" in said
    assert "LR = 0.9" in (folder / "train.py").read_text()
    assert len(ledger_of(folder).iterations) == 1
    assert "sneaky" in ledger_of(folder).foreign_commits[0]


def test_a_branch_switch_during_the_run_is_sealed_on_return(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "grep -q 0.9 train.py && git switch -q -c elsewhere\necho val_bpb: 3\n")
    gitexp("init", "--in-place")
    set_lr(folder, 0.9)
    assert "exp/train is no longer checked out" in gitexp("step", "-m", "x", code=1).stderr
    assert "pending       exp001" in gitexp("status", "-e", "train").stdout
    git("switch", "-q", "exp/train")
    said = gitexp("step", "-m", "y", code=1).stderr
    assert "exp001 had been measured when its step was interrupted; it is sealed now, as DISCARD." in said
    assert [i.id for i in ledger_of(folder).iterations] == ["exp000", "exp001"]
    assert (folder / "train.py").read_text() == TOY


# -- a step that dies ------------------------------------------------------------------------------------------------


def slow_hook(folder: Path) -> None:
    hook_that(folder, 'grep -q 0.9 train.py && { touch "$GITEXP_RUN_DIR/../running"; sleep 60; }\necho val_bpb: 2\n')


def test_an_interrupt_hands_the_edit_back(folder: Path, gitexp: Gitexp) -> None:
    slow_hook(folder)
    gitexp("init", "--budget", "5")
    set_lr(folder, 0.9)
    process = start_step(folder)
    process.send_signal(2)
    assert process.wait() == 130
    assert "LR = 0.9" in (folder / "train.py").read_text()
    assert git("for-each-ref", "refs/gitexp") == ""
    assert len(ledger_of(folder).iterations) == 1


@pytest.mark.slow
def test_a_killed_step_is_cleared_up_by_the_next(folder: Path, gitexp: Gitexp) -> None:
    slow = 'cd "$GITEXP_RUN_DIR/.."; sleep 60 & echo $! > pid; touch running; wait'
    hook_that(folder, f"grep -q 0.9 train.py && {{ {slow}; }}\necho val_bpb: 2\n")
    gitexp("init", "--budget", "5")
    set_lr(folder, 0.9)
    process = start_step(folder)
    assert f"pending       exp001: gitexp step (process {process.pid}, since " in gitexp("status").stdout
    process.kill()
    process.wait()
    trainer = Path(f"/proc/{(folder / '.git/gitexp/train/pid').read_text().strip()}")
    while trainer.exists():  # ended by the guard: the test would not end otherwise
        time.sleep(0.01)
    assert git("for-each-ref", "refs/gitexp").endswith("refs/gitexp/pending/exp/train\n")
    assert "pending       exp001: interrupted in its run; clear it up with: gitexp recover" in gitexp("status").stdout
    set_lr(folder, 0.05)
    result = gitexp("step", "-m", "after")
    assert "The interrupted step exp001 was given up" in result.stderr
    assert [i.description for i in ledger_of(folder).iterations] == ["baseline", "after"]
    assert git("for-each-ref", "refs/gitexp/pending") == ""


# -- EXPERIMENT.md ---------------------------------------------------------------------------------------------------


def test_edits_of_experiment_md_are_sealed_with_the_next_step(experiment: Path, gitexp: Gitexp) -> None:
    file = experiment / "EXPERIMENT.md"
    text = file.read_text()
    text = text.replace("lowest val_bpb", "below 2.001\n\nby Friday")
    text = text.replace("## Next to try\n", "## Next to try\n\n- LR 0.2\n- LR 0.3\n")
    file.write_text(text + "\nremember the tea\n")
    gitexp("render")
    assert "by Friday" in file.read_text()
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "LR 0.2", "--next", "LR 0.3")
    ledger = ledger_of(experiment)
    assert ledger.notes.goal == "below 2.001\n\nby Friday"
    assert ledger.notes.next == ("LR 0.3",)
    assert ledger.iterations[-1].notes.note == "remember the tea"
    assert "exp001: remember the tea" in file.read_text()
    set_lr(experiment, 0.3)
    gitexp("step", "-m", "LR 0.3")
    assert ledger_of(experiment).iterations[-1].notes.goal is None
    assert ledger_of(experiment).notes.goal == "below 2.001\n\nby Friday"


def test_an_edit_made_during_the_run_is_kept_for_the_next_step(folder: Path, gitexp: Gitexp) -> None:
    hook_that(
        folder,
        "sed -i.bak 's/^## Hypothesis/## Hypothesis\\n\\nwritten meanwhile/' EXPERIMENT.md\necho val_bpb: 2\n",
    )
    gitexp("init", "--in-place")
    set_lr(folder, 0.9)
    gitexp("step", "-m", "x")
    assert "written meanwhile" in (folder / "EXPERIMENT.md").read_text()
    set_lr(folder, 0.8)
    gitexp("step", "-m", "y")
    assert "written meanwhile" in (ledger_of(folder).iterations[-1].notes.hypothesis or "")


def test_a_note_is_sealed_once(experiment: Path, gitexp: Gitexp) -> None:
    with (experiment / "EXPERIMENT.md").open("a") as file:
        file.write("my remark\n")
    for lr in (0.2, 0.25, 0.3):
        set_lr(experiment, lr)
        gitexp("step", "-m", f"LR {lr}")
    assert [i.notes.note for i in ledger_of(experiment).iterations] == [None, "my remark", None, None]
    assert (experiment / "EXPERIMENT.md").read_text().count("my remark") == 1


def test_a_notebook_by_hand_is_sealed_once(folder: Path, gitexp: Gitexp) -> None:
    (folder / "EXPERIMENT.md").write_text("# Ideas\n\nfree text\n\n## Current goal\n\nbelow 2\n")
    gitexp("init")
    set_lr(folder, 0.2)
    gitexp("step", "-m", "LR 0.2")
    assert [i.notes.note for i in ledger_of(folder).iterations] == ["Ideas:\nfree text", None]
    assert (folder / "EXPERIMENT.md").read_text().count("free text") == 1
    gitexp("init", "--name", "second")


def test_next_on_the_command_line_goes_before_an_edited_list(experiment: Path, gitexp: Gitexp) -> None:
    file = experiment / "EXPERIMENT.md"
    file.write_text(file.read_text().replace("## Next to try\n", "## Next to try\n\n- from the file\n"))
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "LR 0.2", "--next", "from the command line")
    assert "- from the command line\n" in file.read_text()
    assert "from the file" not in file.read_text()
    set_lr(experiment, 0.3)
    gitexp("step", "-m", "LR 0.3")
    assert ledger_of(experiment).notes.next == ("from the command line",)
