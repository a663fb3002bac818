"""What is left of a gitexp that died is found, named, and finished or handed back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from gitexp.files import part_file
from gitexp.iteration import stale_locks
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import DAEMON, is_gone, start_step
from tests.helpers.repositories import TOY, git, make_repository, set_lr

pytestmark = pytest.mark.slow  # processes that are killed, by the dozen

SLOW = 'grep -q 0.9 train.py && { cd "$GITEXP_RUN_DIR/.."; echo $$ > pid; touch running; sleep 60; }\necho val_bpb: 2\n'
SWITCHES = "grep -q 0.9 train.py && git switch -q -c elsewhere\necho val_bpb: 3\n"
EDIT = TOY.replace("0.1", "0.9", 1)


def killed_step(
    folder: Path, gitexp: Gitexp, hook: str = SLOW, with_guard: bool = False, where: tuple[str, ...] = ()
) -> int:
    """A step that was killed in its run; the pid of its trainer."""
    hook_that(folder, hook)
    gitexp("init", "--budget", "5", *where)
    set_lr(folder, 0.9)
    process = start_step(folder)
    trainer = int((folder / ".git/gitexp/train/pid").read_text())
    guards = [child for child in psutil.Process(process.pid).children() if child.pid != trainer] if with_guard else []
    for guard in guards:
        guard.kill()
    process.kill()
    process.wait()
    return trainer


def measured_step(folder: Path, gitexp: Gitexp) -> None:
    """A step that was measured and could not be sealed: its branch is not checked out any more."""
    hook_that(folder, SWITCHES)
    gitexp("init", "--in-place")
    set_lr(folder, 0.9)
    assert "exp001 is measured" in gitexp("step", "-m", "x", code=1).stderr


# -- recover -----------------------------------------------------------------------------------------------------------


def test_with_nothing_to_recover_it_says_so(experiment: Path, gitexp: Gitexp) -> None:
    assert gitexp("recover").stdout == "Nothing to recover.\n"
    assert gitexp("abort").stdout == "Nothing to abort.\n"


def test_a_part_file_beside_the_experiments_is_not_one_of_them(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / ".git/gitexp/.gitexp.4711.0.part").write_bytes(b"")
    assert gitexp("recover").stdout == "Nothing to recover.\n"


def test_a_file_among_the_experiments_folders_is_not_an_experiment(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / ".git/gitexp/.gitexp.1.0123.part").write_text("half a message, of a gitexp that was killed")
    assert gitexp("recover").stdout == "Nothing to recover.\n"
    set_lr(experiment, 0.3)
    gitexp("step", "-m", "x")


def test_the_file_of_a_commit_that_was_not_finished_is_removed(experiment: Path, gitexp: Gitexp) -> None:
    left = part_file(experiment / ".git/commit")
    left.write_bytes(b"tree ")
    gitexp("recover")
    assert not left.exists()


@pytest.mark.parametrize("folder_of_it", [".", "train", "train/cache", "train/logs"])
def test_a_half_written_file_is_removed(experiment: Path, gitexp: Gitexp, folder_of_it: str) -> None:
    left = part_file(experiment / ".git/gitexp" / folder_of_it / "note")
    left.write_bytes(b"half")
    gitexp("recover")
    assert not left.exists()


def test_the_views_clear_the_half_written_ones_beside_them(experiment: Path, gitexp: Gitexp) -> None:
    left = part_file(experiment / "results.tsv")
    left.write_bytes(b"half")
    gitexp("render")
    assert not left.exists()


def test_a_trainer_that_was_left_running_is_found_and_ended(folder: Path, gitexp: Gitexp) -> None:
    trainer = killed_step(folder, gitexp, with_guard=True)
    assert not is_gone(trainer)
    assert "exp001: interrupted in its run; clear it up with: gitexp recover" in gitexp("status").stdout
    said = gitexp("recover").stderr
    assert "The run of exp001 was still going on without its gitexp, and was ended (process" in said
    assert str(trainer) in said
    assert "The interrupted step exp001 was given up; its edit is in the work tree." in said
    assert is_gone(trainer)
    assert (folder / "train.py").read_text() == EDIT
    assert "pending" not in gitexp("status").stdout


def test_the_next_step_ends_it_too_and_never_doubles_it(folder: Path, gitexp: Gitexp) -> None:
    trainer = killed_step(folder, gitexp, with_guard=True)
    set_lr(folder, 0.2)
    result = gitexp("step", "-m", "after")
    assert "was still going on" in result.stderr
    assert (
        "train.py was changed since and is left as it is, and the edit is kept as refs/gitexp/saved/" in result.stderr
    )
    assert is_gone(trainer)
    assert [i.description for i in ledger_of(folder).iterations] == ["baseline", "after"]
    saved = git("for-each-ref", "--format=%(refname)", "refs/gitexp/saved").strip()
    assert git("show", f"{saved}:train.py") == EDIT


def test_a_killed_gitexp_takes_daemons_of_its_run_along(folder: Path, gitexp: Gitexp) -> None:
    daemon = DAEMON.format(then="time.sleep(60)").replace('open("pid"', f'open("{folder}/daemon"')
    (folder / "daemon.py").write_text(daemon)
    git("add", "daemon.py")
    git("commit", "-qm", "daemon")
    killed_step(
        folder,
        gitexp,
        SLOW.replace("cd ", f"{sys.executable} daemon.py; cd "),
    )
    pid = int((folder / "daemon").read_text())
    until = time.monotonic() + 20
    while not is_gone(pid):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_measured_step_is_sealed_once_its_branch_is_back(folder: Path, gitexp: Gitexp) -> None:
    measured_step(folder, gitexp)
    assert "is no longer checked out" in gitexp("recover", code=1).stderr
    git("switch", "-q", "exp/train")
    status = json.loads(gitexp("status", "--json").stdout)
    assert status["pending"] == {"id": "exp001", "state": "measured", "holder": None}
    assert "exp001: measured (3.000000), not sealed yet" in gitexp("status").stdout
    assert "it is sealed now, as DISCARD." in gitexp("recover").stderr
    assert [i.id for i in ledger_of(folder).iterations] == ["exp000", "exp001"]
    assert (folder / "train.py").read_text() == TOY


def test_an_interrupted_step_is_recovered_in_its_own_work_tree(
    folder: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_step(folder, gitexp)
    git("worktree", "add", "-q", str(tmp_path / "other"), "main")
    monkeypatch.chdir(tmp_path / "other")
    said = gitexp("recover", code=1).stderr
    assert f"exp001 of exp/train was interrupted in another work tree, {folder}." in said
    monkeypatch.chdir(folder)
    gitexp("recover")
    assert (folder / "train.py").read_text() == EDIT


def test_a_deleted_branch_leaves_the_edit(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, f"grep -q 0.9 train.py && git -C {folder} update-ref -d refs/heads/exp/train\necho val_bpb: 2\n")
    gitexp("init")
    tip = git("rev-parse", "HEAD").strip()
    set_lr(folder, 0.9)
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "exp/train was deleted while exp001 ran" in said
    assert (folder / "train.py").read_text() == EDIT
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    assert git("rev-parse", "exp/train").strip() == tip


# -- abort -------------------------------------------------------------------------------------------------------------


def test_abort_hands_a_measured_edit_back(folder: Path, gitexp: Gitexp) -> None:
    measured_step(folder, gitexp)
    said = gitexp("abort").stderr
    assert "exp001 is given up: its edit is in the work tree. Its score was 3.000000." in said
    assert (folder / "train.py").read_text() == EDIT
    assert git("for-each-ref", "refs/gitexp") == ""


def test_abort_does_not_take_a_step_from_a_gitexp_that_lives(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, SLOW)
    gitexp("init", "--budget", "5")
    set_lr(folder, 0.9)
    process = start_step(folder)
    for command in ("abort", "recover"):
        said = gitexp(command, code=1).stderr
        assert f"exp/train is in use by gitexp step (process {process.pid}, since " in said
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    assert process.wait() == 130
    assert (folder / "train.py").read_text() == EDIT
    assert gitexp("recover").stdout == "Nothing to recover.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_and_hands_the_edit_back(folder: Path, gitexp: Gitexp, number: signal.Signals) -> None:
    hook_that(folder, SLOW)
    gitexp("init", "--budget", "5")
    set_lr(folder, 0.9)
    process = start_step(folder)
    process.send_signal(number)
    assert process.wait() == 130
    assert is_gone(int((folder / ".git/gitexp/train/pid").read_text()))
    assert (folder / "train.py").read_text() == EDIT
    assert git("for-each-ref", "refs/gitexp") == ""
    assert len(ledger_of(folder).iterations) == 1


# -- locks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["index.lock", "HEAD.lock", "refs/heads/exp/train.lock", "packed-refs.lock"])
def test_a_lock_of_somebody_else_is_reported_before_the_run(
    experiment: Path, gitexp: Gitexp, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_locks, "PATIENCE", 0.1)
    (experiment / ".git" / lock).touch()
    set_lr(experiment, 0.2)
    said = gitexp("step", "-m", "x", code=1).stderr
    assert f"{lock} is in the way, since 20" in said
    assert "gitexp did not make it" in said
    assert "lock: " in gitexp("fsck", code=1).stdout
    assert (experiment / ".git" / lock).exists()
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout


def test_a_lock_that_goes_away_soon_is_waited_for(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / ".git" / "index.lock").touch()
    other = subprocess.Popen(["sh", "-c", "sleep 0.5; rm .git/index.lock"])
    set_lr(experiment, 0.2)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout
    other.wait()


def test_only_a_lock_of_the_time_a_gitexp_died_is_taken_for_its_own(experiment: Path, gitexp: Gitexp) -> None:
    died = time.time() - 1000
    note = experiment / ".git/gitexp/train/moving.json"
    note.write_text(json.dumps({"version": 1, "moving": {"pid": 4711, "since": died}}))
    ours, theirs = experiment / ".git" / "HEAD.lock", experiment / ".git" / "index.lock"
    for lock, made in ((ours, died + 1), (theirs, died + 500)):
        lock.touch()
        os.utime(lock, (made, made))
    said = gitexp("recover").stderr
    when = time.strftime("%H:%M:%S", time.localtime(died))
    assert f"HEAD.lock: a gitexp (process 4711) left it when it, or its git, was killed at {when}." in said
    assert not ours.exists()
    assert theirs.exists()


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["garbage\n", "", "1234567890123456789012345678901234567890\n"])
def test_a_corrupt_pending_ref(folder: Path, gitexp: Gitexp, content: str) -> None:
    killed_step(folder, gitexp)
    (folder / ".git/refs/gitexp/pending/exp/train").write_text(content)
    assert "pending" in gitexp("fsck", code=1).stdout
    gitexp("recover")
    assert (folder / "train.py").read_text() == EDIT
    assert "exp/train is in order" in gitexp("fsck").stdout
    set_lr(folder, 0.2)
    assert "exp001" in gitexp("step", "-m", "x").stdout


@pytest.mark.parametrize("content", ["", "\0\0\0\0"])
def test_a_journal_that_a_power_cut_emptied_leaves_the_tree_under_a_ref(
    folder: Path, gitexp: Gitexp, content: str
) -> None:
    killed_step(folder, gitexp)
    (folder / ".git/gitexp/train/pending.json").write_text(content)
    said = gitexp("recover").stderr
    saved = said.split("is kept as ")[1].split(".\n")[0]
    assert git("show", f"{saved}:train.py") == EDIT
    assert (folder / "train.py").read_text() == EDIT


UNREADABLE = ["garbage", "[]", "{}", '{"id": 1}', '{"version": 1, "pending": {"id": 1}}', '{"version": 1}']


@pytest.mark.parametrize("content", UNREADABLE)
@pytest.mark.parametrize("file", ["pending.json", "result.json"])
def test_a_note_that_cannot_be_read_is_not_taken_for_none(
    folder: Path, gitexp: Gitexp, content: str, file: str
) -> None:
    if file == "result.json":
        measured_step(folder, gitexp)
        git("switch", "-q", "exp/train")
    else:
        killed_step(folder, gitexp)
    note = folder / ".git/gitexp/train" / file
    note.write_text(content.replace("pending", file.removesuffix(".json")))
    for command in (("recover",), ("step", "-m", "x")):
        said = gitexp(*command, code=1).stderr
        assert f"{note} cannot be read: it is damaged, or an older gitexp wrote it. It is left as it is." in said
        assert "gitexp abort" in said
    assert f"{note} cannot be read" in gitexp("status").stdout.replace("\n", "")
    tree = git("rev-parse", "refs/gitexp/pending/exp/train").strip()
    said = gitexp("abort").stderr
    assert f"{note} could not be read, and is kept as {file}.unreadable." in said
    assert note.with_name(f"{file}.unreadable").is_file()
    assert (folder / "train.py").read_text() == EDIT
    assert file == "result.json" or git("show", f"{tree}:train.py") == EDIT
    set_lr(folder, 0.2)
    assert "exp001" in gitexp("step", "-m", "x").stdout


def test_a_note_of_a_newer_gitexp_is_left_to_that(folder: Path, gitexp: Gitexp) -> None:
    killed_step(folder, gitexp)
    note = folder / ".git/gitexp/train/pending.json"
    note.write_text(note.read_text().replace('"version": 1', '"version": 2'))
    said = gitexp("recover", code=1).stderr
    assert f"{note} cannot be read: a newer gitexp wrote it (version 2). It is left as it is." in said
    assert "pip install --upgrade gitexp" in said


@pytest.mark.parametrize("lost", ["^{tree}", ":train.py"])
def test_what_gc_took_is_written_again_from_the_work_tree(folder: Path, gitexp: Gitexp, lost: str) -> None:
    measured_step(folder, gitexp)
    git("switch", "-q", "exp/train")
    prune(folder, f"refs/gitexp/pending/exp/train{lost}")
    gitexp("recover")
    assert git("log", "-1", "--format=%s", "HEAD^").startswith("exp001 DISCARD")
    assert git("show", "HEAD^:train.py") == EDIT
    git("fsck", "--strict")


def test_a_missing_object_is_named_and_the_edit_stays(folder: Path, gitexp: Gitexp) -> None:
    """Where the work tree does not hold it any more."""
    measured_step(folder, gitexp)
    git("switch", "-q", "exp/train")
    prune(folder, "refs/gitexp/pending/exp/train:train.py")
    (folder / "train.py").write_text("another text\n")
    said = gitexp("recover", code=1).stderr
    assert "exp001 is measured (score 3.000000), but cannot be sealed" in said
    gitexp("abort")
    assert (folder / "train.py").read_text() == "another text\n"


def prune(folder: Path, revision: str) -> None:
    oid = git("rev-parse", revision).strip()
    (folder / ".git/objects" / oid[:2] / oid[2:]).unlink()


@pytest.mark.parametrize("content", ["garbage\n", ""])
def test_an_unreadable_branch_is_named_with_the_way_back(experiment: Path, gitexp: Gitexp, content: str) -> None:
    tip = git("rev-parse", "HEAD").strip()
    (experiment / ".git/refs/heads/exp/train").write_text(content)
    set_lr(experiment, 0.2)
    said = gitexp("status", code=1).stderr
    assert "The branch exp/train is unreadable" in said
    assert "exp/train is unreadable" in gitexp("fsck", code=1).stdout
    subprocess.run(said.split("try: ")[1], shell=True, check=True)
    assert git("rev-parse", "HEAD").strip() == tip
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout


# -- two at once -------------------------------------------------------------------------------------------------------


def test_two_work_trees_run_two_experiments_at_once(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    hook_that(folder, 'sleep 0.3; python3 "$GITEXP_SCRIPT"\n')
    gitexp("init", "--budget", "5")
    other = tmp_path / "other"
    git("worktree", "add", "-q", "--detach", str(other), "main")
    again = [sys.executable, "-m", "gitexp"]
    subprocess.run([*again, "init", "--name", "second", "--budget", "5"], cwd=other, check=True)
    for place in (folder, other):
        set_lr(place, 0.2)
    steps = [subprocess.Popen([*again, "step", "--share-device", "-m", "x"], cwd=place) for place in (folder, other)]
    assert [step.wait() for step in steps] == [0, 0]
    assert [len(ledger_of(folder, name).iterations) for name in ("train", "second")] == [2, 2]
    assert git("status", "--porcelain", cwd=other) == git("status", "--porcelain") == ""


# -- hooks that do what they should not --------------------------------------------------------------------------------


def test_a_hook_that_runs_gitexp_is_told_who_holds_it(folder: Path, gitexp: Gitexp) -> None:
    inner = f"cd {folder}; {sys.executable} -m gitexp"
    hook_that(folder, f"grep -q 0.2 train.py && {{ {inner} step -m inner; {inner} log; }}\necho val_bpb: 2\n")
    gitexp("init")
    set_lr(folder, 0.2)
    gitexp("step", "-m", "outer")
    (log_file,) = (folder / ".git/gitexp/train/logs").glob("exp001-*.log")
    log = log_file.read_text()
    assert "gitexp: exp/train is in use by gitexp step (process" in log
    assert "exp000" in log
    assert [i.description for i in ledger_of(folder).iterations] == ["baseline", "outer"]


def test_a_hook_that_edits_other_tracked_files_is_pointed_out(folder: Path, gitexp: Gitexp) -> None:
    (folder / "settings.txt").write_text("a\n")
    git("add", "-A")
    git("commit", "-qm", "settings")
    hook_that(folder, "grep -q 0.2 train.py && echo b > settings.txt\necho val_bpb: 2\n")
    gitexp("init", "--in-place")
    set_lr(folder, 0.2)
    result = gitexp("step", "-m", "x")
    assert "The run changed settings.txt, which git tracks: the next step will be refused." in result.stderr
    assert (folder / "settings.txt").read_text() == "b\n"


def test_undo_leaves_everything_else_as_it_was(tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Untracked, ignored, stashed, submodules, links, run bits, CRLF, filters: not a byte or a time stamp moves."""
    lib = make_repository(tmp_path / "lib", {"lib.py": "x\n"})
    folder = make_repository(
        tmp_path / "r",
        {"train.py": TOY, "dos.txt": "a\n", "up.txt": "word\n", "run.sh": "x\n", ".gitignore": "*.bin\n"},
    )
    monkeypatch.chdir(folder)
    git("config", "filter.up.clean", "tr A-Z a-z")
    git("config", "filter.up.smudge", "tr a-z A-Z")
    (folder / ".gitattributes").write_text("dos.txt text eol=crlf\nup.txt filter=up\ntrain.py text eol=crlf\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("dos.txt")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(lib), "sub")
    git("add", "-A")
    git("commit", "-qm", "all")
    for name in ("dos.txt", "up.txt", "train.py"):
        (folder / name).unlink()
    git("checkout", "--", ".")
    (folder / "run.sh").write_text("stashed\n")
    git("stash", "-q")
    (folder / "scratch").write_text("x\n")
    (folder / "data.bin").write_text("x\n")
    (folder / "sub" / "new.txt").write_text("x\n")
    gitexp("init")
    views = ("results.tsv", "EXPERIMENT.md")
    watched = [p for p in folder.rglob("*") if ".git" not in p.parts and p.name not in (*views, "train.py")]

    def state() -> dict[Path, tuple[object, ...]]:
        return {
            p: (
                s.st_ino,
                s.st_mode,
                s.st_mtime_ns,
                os.readlink(p) if p.is_symlink() else p.is_file() and p.read_bytes(),
            )
            for p in watched
            for s in [p.lstat()]
        }

    before, train, stash = state(), (folder / "train.py").read_bytes(), git("stash", "list")
    status = git("status", "--porcelain")
    assert b"\r\n" in train
    for value in ("0.9", "[][1]"):
        (folder / "train.py").write_bytes(train.replace(b"0.1", value.encode(), 1))
        gitexp("step", "-m", value)
        assert state() == before
        assert (folder / "train.py").read_bytes() == train
        assert git("stash", "list") == stash
        assert git("status", "--porcelain") == status
    assert "in order" in gitexp("fsck").stdout


# -- found by trying to break it ---------------------------------------------------------------------------------------


def test_the_installed_command_clears_its_own_locks(folder: Path, gitexp: Gitexp) -> None:
    """Its process is called gitexp, which is not git."""
    killed_step(folder, gitexp, where=("--in-place",))  # this process would keep gits for a clean tree
    (folder / ".git/gitexp/train/moving.json").write_text(
        json.dumps({"version": 1, "moving": {"pid": 4711, "since": time.time()}})
    )
    (folder / ".git/HEAD.lock").touch()
    done = subprocess.run(
        [Path(sys.executable).with_name("gitexp"), "recover"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Cleared" in done.stderr
    assert not (folder / ".git/HEAD.lock").exists()


def test_a_branch_that_came_from_elsewhere_is_not_taken_for_the_dead_baseline(
    folder: Path, gitexp: Gitexp, tmp_path: Path
) -> None:
    other = make_repository(tmp_path / "other", {"train.py": TOY})
    subprocess.run([sys.executable, "-m", "gitexp", "init"], cwd=other, check=True)
    hook_that(folder, SLOW.replace("grep -q 0.9", "grep -q 0.1"))
    process = subprocess.Popen([sys.executable, "-m", "gitexp", "init", "--budget", "5"])
    while not (folder / ".git/gitexp/train/running").exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    git("fetch", "-q", str(other), "exp/train:exp/train")
    assert "exp/train: exp000: interrupted in its run" in gitexp("status", code=1).stderr
    assert "exp000 was given up" in gitexp("recover").stderr
    assert git("symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert git("status", "--porcelain", "-uno") == ""


def test_a_branch_without_its_baseline_does_not_hold_the_edit(folder: Path, gitexp: Gitexp) -> None:
    killed_step(folder, gitexp)
    git("update-ref", "refs/heads/exp/train", git("commit-tree", "HEAD^{tree}", "-m", "rewritten").strip())
    assert "holds no baseline" in gitexp("fsck", code=1).stdout
    assert "exp001 was given up; its edit is in the work tree" in gitexp("recover").stderr
    assert (folder / "train.py").read_text() == EDIT


def test_abort_takes_back_what_a_seal_had_staged(folder: Path, gitexp: Gitexp) -> None:
    measured_step(folder, gitexp)
    git("switch", "-q", "exp/train")
    git("add", "train.py")
    gitexp("abort")
    assert git("diff", "--cached", "--name-only") == ""
    assert (folder / "train.py").read_text() == EDIT


def test_a_run_of_another_experiment_that_lost_its_gitexp_does_not_run_beside(folder: Path, gitexp: Gitexp) -> None:
    trainer = killed_step(folder, gitexp, with_guard=True)
    git("stash", "-q")
    git("switch", "-q", "main")
    assert "was still going on" in gitexp("init", "--name", "second").stderr
    assert is_gone(trainer)


@pytest.mark.parametrize("file", ["rendering.json", "EXPERIMENT.md"])
def test_files_that_a_power_cut_emptied(experiment: Path, gitexp: Gitexp, file: str) -> None:
    (experiment / ".git/gitexp/train" / file).write_text("")
    assert "in order" in gitexp("fsck").stdout
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    assert ledger_of(experiment).notes.note is None


def test_a_notebook_edited_after_a_death_in_the_middle_of_its_writing(experiment: Path, gitexp: Gitexp) -> None:
    """Whichever of the two it is an edit of: only what was written is a note."""
    notebook, place = experiment / "EXPERIMENT.md", experiment / ".git/gitexp/train"
    before, old = notebook.read_text(), (place / "EXPERIMENT.md").read_text()
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "x")
    after = notebook.read_text()
    for text in (before, after):
        (place / "EXPERIMENT.md").write_text(old)
        (place / "rendering.json").write_text(json.dumps({"version": 1, "rendering": [before, after]}))
        notebook.write_text(text + "\nmine\n")
        gitexp("render")
        assert notebook.read_text().count("mine") == 1
        assert notebook.read_text().replace("mine\n", "").rstrip() == after.replace("mine\n", "").rstrip()
        notebook.write_text(after)
        gitexp("render")


def test_a_moved_repository_whose_old_place_is_taken(
    folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_step(folder, gitexp)
    moved = folder.rename(folder.with_name("moved"))
    make_repository(folder, {"train.py": "another\n"})
    monkeypatch.chdir(moved)
    gitexp("recover")
    assert (moved / "train.py").read_text() == EDIT


def test_what_a_hook_does_to_the_edit_is_named_beside_a_keep(folder: Path, gitexp: Gitexp) -> None:
    stash = f"git -C {folder} stash -q"
    hook_that(folder, f"grep -q 0.2 train.py && {stash} && echo val_bpb: 1 && exit 0\necho val_bpb: 2\n")
    gitexp("init")
    set_lr(folder, 0.2)
    assert "train.py was changed during the run, and is left as it is" in gitexp("step", "-m", "x").stdout


def test_a_hook_that_removes_itself(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, 'grep -q 0.2 train.py && rm "$0"\necho val_bpb: 1\n')
    gitexp("init")
    set_lr(folder, 0.2)
    assert "the post-run hook was changed during the run" in gitexp("step", "-m", "x").stdout


def test_a_hook_that_renames_the_branch(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, f"grep -q 0.9 train.py && git -C {folder} branch -m exp/train exp/renamed\necho val_bpb: 3\n")
    gitexp("init")
    set_lr(folder, 0.9)
    assert "exp/train was deleted while exp001 ran (score 3.000000)" in gitexp("step", "-m", "x", code=1).stderr
    assert (folder / "train.py").read_text() == EDIT


def test_a_run_directory_with_read_only_folders(folder: Path, gitexp: Gitexp) -> None:
    close = 'cd "$GITEXP_RUN_DIR"; mkdir -p a/b; touch a/b/c; chmod 555 a/b; chmod 000 a'
    hook_that(folder, f"{close}\necho val_bpb: 2\n")
    gitexp("init")
    set_lr(folder, 0.2)
    assert "exp001 DISCARD" in gitexp("step", "-m", "x").stdout


def test_a_proposer_does_not_outlive_a_killed_gitexp(experiment: Path, gitexp: Gitexp) -> None:
    pid = experiment / "pid"
    script = f"echo $$ > {pid}; sleep 60; echo LR = 7 > train.py"
    process = subprocess.Popen([sys.executable, "-m", "gitexp", "step", "-m", "x", "--", "sh", "-c", script])
    while not pid.exists() or not pid.read_text():
        time.sleep(0.01)
    process.kill()
    process.wait()
    until = time.monotonic() + 20
    while not is_gone(int(pid.read_text())):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_closed_terminal_does_not_cost_the_run(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, "sleep 0.5; echo 50%; sleep 0.5; echo val_bpb: 2\n")
    gitexp("init")
    set_lr(folder, 0.2)
    end, terminal = os.openpty()
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from gitexp.cli import main; main()"
    with open("out", "w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", ignoring, "step", "-m", "x"], stdout=out, stderr=terminal, start_new_session=True
        )
    os.close(terminal)
    os.read(end, 10)
    os.close(end)
    assert process.wait() == 0
    assert "exp001 DISCARD" in Path("out").read_text()


def test_no_standard_error_at_all(experiment: Path) -> None:
    set_lr(experiment, 0.2)
    command = f"{sys.executable} -m gitexp step -m x 2>&-"
    assert subprocess.run(command, shell=True, check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_a_missing_tree_is_named(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.9)
    gitexp("step", "-m", "x")
    tree = git("rev-parse", "HEAD~1^{tree}").strip()
    (experiment / ".git/objects" / tree[:2] / tree[2:]).unlink()
    assert f"The object {tree} is missing." in gitexp("fsck", code=1).stdout


def test_a_stale_lock_of_a_saved_ref_is_reported(experiment: Path, gitexp: Gitexp) -> None:
    (experiment / ".git/refs/gitexp/saved").mkdir(parents=True)
    (experiment / ".git/refs/gitexp/saved/exp001-0.lock").touch()
    assert "exp001-0.lock" in gitexp("fsck", code=1).stdout


@pytest.mark.slow
def test_a_run_beside_it_is_left_alone(folder: Path, gitexp: Gitexp) -> None:
    hook_that(folder, 'grep -q 0.9 train.py && { touch "$GITEXP_RUN_DIR/../running"; sleep 1; }\necho val_bpb: 2\n')
    gitexp("init", "--name", "second", "--rule", "single")
    git("switch", "-q", "main")
    gitexp("init", "--rule", "single")
    set_lr(folder, 0.9)
    process = start_step(folder)
    gitexp("step", "-e", "second", "-m", "x", "--share-device", "--", "sh", "-c", "echo '#' >> train.py")
    assert process.wait() == 0
    assert ledger_of(folder).iterations[-1].score == 2.0
