"""Proposers work in a clean tree: the person's work tree is theirs, whatever is done there meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import start_loop, wait_for
from tests.helpers.proposers import proposes
from tests.helpers.repositories import TOY, Once, git, make_toy, set_lr, state_of

BETTER = "write(round(0.1 + 0.01 * number, 2)); print('LR up')\n"
OTHER = "sed -i.bak s/0.1/0.2/ train.py"


@pytest.fixture
def single(once: Once, gitexp: Gitexp) -> Path:
    def begin(place: Path) -> None:
        make_toy(place)
        (place / "README").write_text("x")
        git("add", "README")
        git("commit", "-qm", "readme")
        gitexp("init", "--budget", "5", "--rule", "single", "--goal", "lowest val_bpb")

    return once("workspace", begin)


@pytest.mark.parametrize(
    "then",
    [
        "pass",
        "g('commit', '-qam', 'mine')",
        "g('commit', '-qam', 'mine'); g('commit', '-q', '--amend', '-m', 'again')",
        "g('switch', '-q', '-c', 'other'); g('commit', '-qam', 'x')",
        "g('add', '.')",
        "g('config', 'core.hooksPath', '/nowhere'); g('gc', '-q')",
        "import shutil; shutil.rmtree('.git')",
    ],
)
def test_whatever_a_proposer_does_with_git_its_edit_is_taken(
    single: Path, proposer: Path, gitexp: Gitexp, then: str
) -> None:
    git("stash", "list")
    before = git("for-each-ref", "--format=%(refname)").split()
    body = f"import subprocess\ng = lambda *args: subprocess.run(['git', *args], check=True)\nwrite(0.2)\n{then}\n"
    done = gitexp("loop", "--steps", "1", *proposes(proposer, body))
    assert "exp001 KEEP" in done.stdout
    assert git("show", "exp/train:train.py") == TOY.replace("0.1", "0.2", 1)
    assert git("for-each-ref", "--format=%(refname)").split() == before
    assert git("status", "--porcelain") == ""
    assert (single / "train.py").read_text() == TOY.replace("0.1", "0.2", 1)


def test_it_finds_the_incumbent_and_a_clean_status(
    single: Path, proposer: Path, gitexp: Gitexp, tmp_path: Path
) -> None:
    body = f"""\
        import subprocess
        said = subprocess.run("git status --short; git rev-parse HEAD; git remote; ls", shell=True, capture_output=True)
        pathlib.Path({str(tmp_path / "said")!r}).write_bytes(said.stdout)
        write(0.2)
    """
    incumbent = ledger_of(single).incumbent.commit
    gitexp("loop", "--steps", "1", *proposes(proposer, body))
    assert (tmp_path / "said").read_text().split() == [incumbent, "EXPERIMENT.md", "README", "results.tsv", "train.py"]


def test_what_lies_outside_of_the_editable_files_is_gone_and_told(
    single: Path, proposer: Path, gitexp: Gitexp, tmp_path: Path
) -> None:
    body = f"""\
        told = "Your last edit also changed README, other" in sys.stdin.read()
        if told:
            pathlib.Path({str(tmp_path / "told")!r}).touch()
        write(0.3 if told else 0.2)
        if not told:
            pathlib.Path("README").write_text("mine")
            pathlib.Path("other").write_text("mine")
    """
    done = gitexp("loop", "--steps", "2", *proposes(proposer, body))
    assert "The proposer also changed README, other, which is not editable" in done.stderr
    assert (tmp_path / "told").exists()
    assert git("diff", "--name-only", "main", "exp/train").split() == ["train.py"]
    assert (single / "README").read_text() == "x"


def test_what_it_writes_into_the_notebook_is_sealed(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    body = """\
        book = pathlib.Path("EXPERIMENT.md")
        book.write_text(book.read_text().replace("## Hypothesis\\n", "## Hypothesis\\n\\nhigher is faster\\n", 1))
        write(0.2)
    """
    gitexp("loop", "--steps", "1", *proposes(proposer, body))
    assert ledger_of(single).iterations[-1].notes.hypothesis == "higher is faster"


def test_a_person_edits_on(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    set_lr(single, 0.7)
    (single / "README").write_text("edited")
    done = gitexp("loop", "--steps", "2", *proposes(proposer, BETTER))
    assert done.stdout.count("KEEP") >= 2
    assert (single / "train.py").read_text().startswith("LR = 0.7\n")
    assert (single / "README").read_text() == "edited"


@pytest.mark.parametrize("command", ["loop", "step", "sweep"])
def test_it_runs_from_any_branch(single: Path, gitexp: Gitexp, command: str) -> None:
    git("switch", "-q", "main")
    before = state_of(single)[1:4]
    edit = ["sed", "-i.bak", "s/0.1/0.2/", "train.py"]
    args = {"loop": ["--steps", "1", *edit], "step": ["-m", "x", "--", *edit], "sweep": ["LR=0.2"]}[command]
    assert "exp001 KEEP" in gitexp(command, "-e", "train", *args).stdout
    assert state_of(single)[1:4] == before
    git("switch", "-q", "exp/train")
    assert (single / "train.py").read_text().startswith("LR = 0.2\n")
    assert git("status", "--porcelain") == ""


def test_an_edit_by_hand_needs_its_branch(single: Path, gitexp: Gitexp) -> None:
    git("switch", "-q", "main")
    set_lr(single, 0.2)
    refused = gitexp("step", "-e", "train", "-m", "x", code=1).stderr
    assert "exp/train is not checked out" in refused
    assert "git switch --merge exp/train" in refused


def test_a_script_beside_the_work_tree_is_found(single: Path, gitexp: Gitexp) -> None:
    script = single / "mutate.sh"
    script.write_text("#!/bin/sh\nsed -i.bak s/0.1/0.2/ train.py\nrm train.py.bak\n")
    script.chmod(0o755)
    assert "exp001 KEEP" in gitexp("loop", "--steps", "1", "./mutate.sh").stdout
    assert "exp002" in gitexp("step", "-m", "x", "--", "sh", "-c", "sed -i.bak s/0.2/0.25/ train.py").stdout


def test_the_second_interrupt_keeps_the_edit_as_a_ref(folder: Path, proposer: Path, gitexp: Gitexp, runs: Path) -> None:
    hook_that(folder, 'echo val_bpb: 2; grep -q 0.2 train.py || exit 0; touch "$RUNS"; sleep 60\n')
    gitexp("init", "--budget", "5", "--rule", "single")
    process = start_loop(folder, "--steps", "1", *proposes(proposer, "write(0.2)\n"))
    wait_for(runs)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    ref = said.partition("its edit is kept as ")[2].split()[0].rstrip(".")
    assert git("show", f"{ref}:train.py").startswith("LR = 0.2\n")
    assert git("status", "--porcelain") == ""
    assert (folder / "train.py").read_text() == TOY


@pytest.mark.parametrize("then", ["loop", "step", "recover"])
def test_killed_while_the_proposer_works_its_half_edit_is_kept(
    single: Path, proposer: Path, gitexp: Gitexp, tmp_path: Path, then: str
) -> None:
    half = f"write(0.5); pathlib.Path({str(tmp_path / 'here')!r}).touch(); time.sleep(60)\n"
    process = start_loop(single, *proposes(proposer, half))
    wait_for(tmp_path / "here")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    words = {"loop": ("--steps", "1", *proposes(proposer, BETTER)), "step": ("-m", "x", "--", "sh", "-c", OTHER)}
    done = gitexp(then, *words.get(then, ()))
    assert "the unfinished edit is kept as refs/gitexp/saved/loop-" in done.stderr
    ref = done.stderr.partition("kept as ")[2].split()[0].rstrip(".")
    assert git("show", f"{ref}:train.py", cwd=single) == TOY.replace("0.1", "0.5", 1)


def test_terminated_while_the_proposer_works_its_half_edit_is_kept(
    single: Path, proposer: Path, gitexp: Gitexp, tmp_path: Path
) -> None:
    half = f"write(0.5); pathlib.Path({str(tmp_path / 'here')!r}).touch(); time.sleep(60)\n"
    process = start_loop(single, *proposes(proposer, half))
    wait_for(tmp_path / "here")
    os.kill(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=30)[1]
    ref = said.partition("kept as ")[2].split()[0].rstrip(".")
    assert git("show", f"{ref}:train.py", cwd=single) == TOY.replace("0.1", "0.5", 1)
    assert gitexp("recover").stdout == "Nothing to recover.\n"


def test_a_proposer_that_fails_has_its_edit_kept(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    said = gitexp("loop", "--steps", "1", *proposes(proposer, "write(0.5); sys.exit(3)\n"), code=1).stderr
    ref = said.partition("kept as ")[2].split()[0].rstrip(".")
    assert git("show", f"{ref}:train.py").startswith("LR = 0.5\n")


def test_a_file_stop_that_the_proposer_makes_ends_it(single: Path, proposer: Path, gitexp: Gitexp) -> None:
    done = gitexp("loop", *proposes(proposer, "write(0.2); pathlib.Path('STOP').touch()\n"))
    assert "ended because the file STOP is there" in done.stdout
    assert subprocess.run(["git", "ls-files", "STOP"], capture_output=True, check=True).stdout == b""


def test_what_it_changes_behind_a_link_is_said(folder: Path, proposer: Path, gitexp: Gitexp) -> None:
    (folder / ".git/info/exclude").write_text("data\n")
    (folder / "data").mkdir()
    (folder / "data/x").write_text("x")
    gitexp("init", "--link", "data", "--rule", "single")
    done = gitexp("loop", "--steps", "1", *proposes(proposer, "write(0.2)\npathlib.Path('data/y').touch()\n"))
    assert "data is linked into the clean tree, and the proposer changed it." in done.stderr
    assert "exp001 KEEP" in done.stdout
