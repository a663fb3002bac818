"""``gitexp init``: what the baseline seals, and what is refused with nothing changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.model import Direction, Frozen
from gitexp.verdict.confirm import Confirm
from tests.helpers.command_line import Gitexp, refused
from tests.helpers.repositories import TOY, git, make_repository, set_lr


def test_the_baseline_seals_the_contract(folder: Path, gitexp: Gitexp) -> None:
    (folder / "data.txt").write_text("1 2 3")
    git("add", "data.txt")
    git("commit", "-qm", "data")
    main = git("rev-parse", "main").strip()
    options = ("--metric", "val_bpb", "--budget", "5", "--timeout", "50", "--seed", "3", "--freeze", "data.txt")
    words = ("--goal", "lowest", "--hypothesis", "LR", "--constraint", "a", "--constraint", "b", "--next", "c")
    result = gitexp("init", "--name", "lr", *options, *words)
    assert "exp000 val_bpb 2.040000 (lower is better) on exp/lr" in result.stdout
    assert git("branch", "--show-current").strip() == "exp/lr"
    assert git("rev-parse", "main").strip() == main
    assert git("status", "--porcelain") == ""
    assert git("rev-parse", "exp/lr^").strip() == main

    ledger = history.load(Repository.discover(folder), "lr")
    contract = ledger.contract
    assert (contract.metric, contract.direction, contract.rule) == ("val_bpb", Direction.MINIMIZE, str(Confirm()))
    assert (contract.budget, contract.timeout, contract.seed) == (5.0, 50.0, 3)
    assert (contract.script, contract.directory, contract.edit) == ("train.py", ".", ("train.py",))
    assert contract.freeze == (Frozen("data.txt", git("rev-parse", "HEAD:data.txt").strip()),)
    assert (ledger.notes.goal, ledger.notes.hypothesis) == ("lowest", "LR")
    assert (ledger.notes.constraints, ledger.notes.next) == (("a", "b"), ("c",))
    assert ledger.baseline.measurement.memory_mb == 12.5
    assert ledger.baseline.measurement.metrics == (("num_steps", 7.0),)


def test_an_uncommitted_script_goes_into_the_baseline(folder: Path, gitexp: Gitexp) -> None:
    set_lr(folder, 0.2)
    (folder / "new.py").write_text(TOY)
    gitexp("init", "--edit", "train.py", "--edit", "new.py")
    assert git("show", "HEAD:train.py").startswith("LR = 0.2")
    assert git("show", "HEAD:new.py") == TOY
    assert git("status", "--porcelain") == ""


def test_a_script_in_a_folder_runs_where_init_was_typed(
    folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = folder / "my proj" / "ünï"
    inner.mkdir(parents=True)
    (inner / "a train.py").write_text("import os\nprint('val_bpb:', len(os.path.basename(os.getcwd())))\n")
    monkeypatch.chdir(folder / "my proj")
    gitexp("init", "ünï/a train.py", "--name", "inner")
    ledger = history.load(Repository.discover(folder), "inner")
    assert (ledger.contract.script, ledger.contract.directory) == ("my proj/ünï/a train.py", "my proj")
    assert ledger.baseline.score == len("my proj")
    assert (inner / "results.tsv").exists()  # beside the script


def test_a_folder_can_be_editable_and_a_folder_frozen(folder: Path, gitexp: Gitexp) -> None:
    for name in ("src/a.py", "data/x.txt", "data/y.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    git("add", "-A")
    git("commit", "-qm", "more")
    gitexp("init", "--edit", "train.py", "--edit", "src", "--freeze", "data")
    contract = history.load(Repository.discover(folder), "train").contract
    assert contract.edit == ("train.py", "src")
    assert [frozen.path for frozen in contract.freeze] == ["data/x.txt", "data/y.txt"]


def test_an_experiment_md_written_by_hand_is_absorbed(folder: Path, gitexp: Gitexp) -> None:
    (folder / "EXPERIMENT.md").write_text(
        "# My notes\n\nfree text\n\n## Current goal\nget below 2\n\n## Hypothesis\nhigher LR\n\n"
        "## Constraints\n- no deps\n- one file\n\n## Next to try\n1. LR 0.2\n2. LR 0.4\n"
    )
    gitexp("init")
    ledger = history.load(Repository.discover(folder), "train")
    assert ledger.notes.goal == "get below 2"
    assert ledger.notes.hypothesis == "higher LR"
    assert ledger.notes.constraints == ("no deps", "one file")
    assert ledger.notes.next == ("LR 0.2", "LR 0.4")
    assert "free text" in (ledger.baseline.notes.note or "")
    assert "free text" in (folder / "EXPERIMENT.md").read_text()


def test_the_hook_is_installed_where_git_looks_for_it(folder: Path, gitexp: Gitexp) -> None:
    git("config", "core.hooksPath", ".husky")
    gitexp("init")
    assert os.access(folder / ".husky" / "post-run", os.X_OK)


def test_a_hook_of_ones_own_is_used_and_left_alone(folder: Path, gitexp: Gitexp) -> None:
    hook = folder / ".git" / "hooks" / "post-run"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho val_bpb: 1.5\n")
    hook.chmod(0o755)
    gitexp("init")
    assert hook.read_text() == "#!/bin/sh\necho val_bpb: 1.5\n"
    assert history.load(Repository.discover(folder), "train").baseline.score == 1.5


def test_a_new_experiment_can_start_from_an_experiments_tip(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.2)
    gitexp("step", "-m", "LR 0.2")
    gitexp("init", "--name", "second")
    ledger = history.load(Repository.discover(experiment), "second")
    assert [i.id for i in ledger.iterations] == ["exp000"]
    assert ledger.baseline.score == 2.01
    assert len(history.load(Repository.discover(experiment), "train").iterations) == 2


# -- refusals --------------------------------------------------------------------------------------------------------


def test_a_baseline_that_crashes_leaves_everything_as_it_was(folder: Path, gitexp: Gitexp) -> None:
    (folder / "train.py").write_text("import nowhere_to_be_found\n")
    said = refused(gitexp, folder, "init")
    assert "The baseline crashed (exit 1: ModuleNotFoundError: No module named 'nowhere_to_be_found')" in said


def test_a_baseline_without_the_metric_names_what_was_printed(folder: Path, gitexp: Gitexp) -> None:
    said = refused(gitexp, folder, "init", "--metric", "accuracy")
    assert "accuracy was not printed; it printed num_steps, peak_memory_mb, val_bpb" in said


def test_a_template_that_crashes_takes_its_files_along(
    folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("rm", "-q", "train.py")
    git("commit", "-qm", "none")
    monkeypatch.setenv("GITEXP_DATA", "/nowhere")
    refused(gitexp, folder, "init", "--template", "mlx", "--budget", "1")


@pytest.mark.parametrize("name", ["a..b", "x y", "-q", "a/", "~", "@{1}"])
def test_a_name_that_is_no_branch_name(folder: Path, gitexp: Gitexp, name: str) -> None:
    assert "cannot be part of a branch name" in refused(gitexp, folder, "init", f"--name={name}")


def test_a_branch_in_the_way(folder: Path, gitexp: Gitexp) -> None:
    git("branch", "exp")
    assert "refs/heads/exp is in its way" in refused(gitexp, folder, "init")


def test_an_experiment_that_exists(experiment: Path, gitexp: Gitexp) -> None:
    assert "The experiment train exists already." in refused(gitexp, experiment, "init")


def test_no_script_and_no_template(folder: Path, gitexp: Gitexp) -> None:
    assert "There is no other.py here." in refused(gitexp, folder, "init", "other.py")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--edit", "nope.py"), "There is no nope.py here."),
        (("--freeze", "nope.py"), "There is no nope.py here."),
        (("--freeze", "train.py"), "train.py cannot be both editable and frozen."),
        (("--edit", "../elsewhere.py"), "is outside this work tree"),
        (("--template", "mlx"), "the template would overwrite it"),
    ],
)
def test_paths_that_make_no_sense(folder: Path, gitexp: Gitexp, args: tuple[str, ...], words: str) -> None:
    assert words in refused(gitexp, folder, "init", *args)


def test_views_that_are_tracked_or_kept_by_hand(folder: Path, gitexp: Gitexp) -> None:
    (folder / "results.tsv").write_text("id\tmetric\tval_score\ttest_score\tmemory_mb\tstatus\tdescription\n")
    assert "results.tsv is kept by hand here" in refused(gitexp, folder, "init")
    git("add", "results.tsv")
    git("commit", "-qm", "table")
    assert "results.tsv is tracked here" in refused(gitexp, folder, "init")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_budget_that_is_no_time(folder: Path, gitexp: Gitexp, value: str) -> None:
    assert "is not a number above 0" in gitexp("init", f"--budget={value}", code=2).stderr


def test_outside_a_repository(tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(TOY)
    result = gitexp("init", code=1)
    assert "is not inside a git repository" in result.stderr
    assert "try: git init" in result.stderr


def test_a_repository_without_commits(tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "train.py").write_text(TOY)
    monkeypatch.chdir(tmp_path)
    assert "This repository has no commits yet." in gitexp("init", code=1).stderr


def test_a_merge_in_progress(folder: Path, gitexp: Gitexp) -> None:
    git("checkout", "-q", "-b", "side")
    set_lr(folder, 0.5)
    git("commit", "-qam", "side")
    git("checkout", "-q", "main")
    set_lr(folder, 0.6)
    git("commit", "-qam", "main")
    assert subprocess.run(["git", "merge", "-q", "side"], capture_output=True, check=False).returncode == 1
    assert "A merge is in progress" in refused(gitexp, folder, "init")


def test_something_else_is_edited_or_staged(folder: Path, gitexp: Gitexp) -> None:
    (folder / "other.txt").write_text("1")
    git("add", "other.txt")
    git("commit", "-qm", "other")
    (folder / "other.txt").write_text("2")
    assert "other.txt differs from HEAD, and only train.py may change" in refused(gitexp, folder, "init")
    git("checkout", "-q", "other.txt")
    set_lr(folder, 0.2)
    git("add", "train.py")
    assert "The index has staged changes (train.py)" in refused(gitexp, folder, "init")


def test_git_does_not_know_who(folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name)
    git("config", "user.useConfigOnly", "true")
    assert "git does not know who you are." in refused(gitexp, folder, "init")


def test_a_git_that_is_too_old(folder: Path, gitexp: Gitexp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    skip = 'while [ "$1" = -c ]; do shift 2; done\n'
    fake.write_text(f'#!/bin/sh\n{skip}[ "$1" = version ] && echo git version 2.11.0\n')
    fake.chmod(0o755)
    real = shutil.which("git")
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    assert "this is git version 2.11.0" in gitexp("log", code=1).stderr
    # The last one that is too old: an option that it does not know is no failure, but said back.
    older = '[ "$1" = version ] && echo git version 2.24.4 && exit\nshift 2\necho --show-object-format\n'
    fake.write_text(f'#!/bin/sh\n{skip}{older}exec {real} rev-parse "$@"\n')
    assert "gitexp needs git 2.25 or newer; this is git version 2.24.4." in gitexp("log", code=1).stderr


def test_no_git_at_all(folder: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "git is not installed" in gitexp("log", code=1).stderr


def test_two_experiments_do_not_share_their_files(
    tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_repository(tmp_path / "two", {"a.py": TOY, "b.py": TOY.replace("0.1", "0.2", 1)})
    monkeypatch.chdir(made)
    gitexp("init", "a.py")
    gitexp("init", "b.py")
    assert "Experiment b" in (made / "EXPERIMENT.md").read_text()
    git("switch", "-q", "exp/a")
    gitexp("render")
    assert "Experiment a" in (made / "EXPERIMENT.md").read_text()
    assert "2.040000" in (made / "results.tsv").read_text()
