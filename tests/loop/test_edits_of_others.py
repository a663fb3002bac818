"""While a loop or a sweep runs in place, a person edits too: what they wrote stays as it is, however the run ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.processes import wait_for
from tests.helpers.repositories import TOY, git, make_repository

pytestmark = pytest.mark.slow  # kills

SWEEP = ("sweep", "LR=0.2,0.25")
LOOP = ("loop", "--steps", "1", "--", "sed", "-i", "s/^LR.*/LR = 0.2/", "train.py")
HOOK = """\
#!/bin/sh
[ -e "$TEST_FOLDER/slow" ] && { touch "$TEST_FOLDER/running"; while [ -e "$TEST_FOLDER/slow" ]; do sleep 0.02; done; }
[ -e "$TEST_FOLDER/skip" ] && exit 125
"$GITEXP_OWN_PYTHON" train.py
"""


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp) -> Path:
    """An experiment with a file that no step may change; its runs wait while ``slow`` is there."""
    monkeypatch.setenv("TEST_FOLDER", str(tmp_path))
    folder = make_repository(tmp_path / "r", {"train.py": TOY, "notes.txt": "draft\n"})
    monkeypatch.chdir(folder)
    hook = folder / ".git/hooks/post-run"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    gitexp("init", "--budget", "5", "--rule", "single", "--in-place")
    (tmp_path / "slow").touch()
    return folder


def begin(folder: Path, *args: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-m", "gitexp", *args], cwd=folder, stderr=subprocess.PIPE, text=True)
    wait_for(folder.parent / "running")
    return process


def skip(folder: Path, process: subprocess.Popen[str]) -> str:
    """Have the run that is under way skip its candidate; what the command said."""
    (folder.parent / "skip").touch()
    (folder.parent / "slow").unlink()
    return process.communicate(timeout=60)[1]


@pytest.mark.parametrize("args", [SWEEP, LOOP])
def test_another_file_that_was_edited_meanwhile_stays(args: tuple[str, ...], shared: Path) -> None:
    process = begin(shared, *args)
    (shared / "notes.txt").write_text("a day's work\n")
    said = skip(shared, process)
    assert "was not tried: The hook asked to skip" in said
    assert (shared / "notes.txt").read_text() == "a day's work\n"
    assert (shared / "train.py").read_text() == TOY
    assert "notes.txt differs from HEAD" in said  # which ends it


@pytest.mark.parametrize("args", [SWEEP, LOOP])
def test_the_editable_file_stays_where_a_person_edited_it(args: tuple[str, ...], shared: Path) -> None:
    process = begin(shared, *args)
    mine = (shared / "train.py").read_text() + "# mine\n"
    (shared / "train.py").write_text(mine)
    said = skip(shared, process)
    assert "train.py was changed since, and is left as it is." in said
    assert (shared / "train.py").read_text() == mine


def test_what_a_person_staged_meanwhile_stays_staged(shared: Path) -> None:
    process = begin(shared, *SWEEP)
    (shared / "train.py").write_text("# mine\n")
    git("add", "train.py", cwd=shared)
    skip(shared, process)
    assert git("show", ":train.py", cwd=shared) == "# mine\n"


@pytest.mark.parametrize("args", [SWEEP, LOOP])
def test_a_second_interrupt_leaves_a_persons_files(args: tuple[str, ...], shared: Path) -> None:
    process = begin(shared, *args)
    (shared / "notes.txt").write_text("a day's work\n")
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert any("ends after this step" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert (shared / "notes.txt").read_text() == "a day's work\n"
    assert ((shared / "train.py").read_text() == TOY) == (args is SWEEP)  # a loop's edit may be all there is of it


@pytest.mark.parametrize("args", [SWEEP, LOOP])
def test_after_a_kill_a_persons_edit_is_not_taken_back(args: tuple[str, ...], shared: Path) -> None:
    process = begin(shared, *args)
    process.kill()
    process.communicate()
    (shared.parent / "slow").unlink()
    (shared / "train.py").write_text("# mine\n")
    (shared / "notes.txt").write_text("a day's work\n")
    again = subprocess.run(
        [sys.executable, "-m", "gitexp", *args], cwd=shared, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert (shared / "train.py").read_text() == "# mine\n"
    assert (shared / "notes.txt").read_text() == "a day's work\n"


def test_an_edit_that_the_gate_changed_is_taken_back_and_kept(shared: Path, gitexp: Gitexp) -> None:
    (shared.parent / "slow").unlink()
    gate = shared / ".git/hooks/pre-run"
    gate.write_text("#!/bin/sh\necho '# formatted' >> train.py\nexit 1\n")
    gate.chmod(0o755)
    done = gitexp(*SWEEP, code=1)
    assert (shared / "train.py").read_text() == TOY
    ref = done.stderr.partition("kept as ")[2].split()[0].rstrip(".")
    assert git("show", f"{ref}:train.py").endswith("# formatted\n")
