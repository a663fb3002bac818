"""One run at a time on a device, across the repositories of a user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gitexp.cli.progress import Terminal
from gitexp.files import holder_of
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.run.device import Busy, device_held
from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.processes import start_loop, wait_for
from tests.helpers.repositories import git, make_toy, set_lr

IN_USE = "The device of this machine is in use by gitexp step of exp/fit in "


@pytest.fixture
def elsewhere(tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """A run of an experiment in another repository, as long as the block goes on."""
    place = ExperimentFiles.of(Repository.discover(make_toy(tmp_path / "elsewhere")), "fit")
    return lambda: device_held(place, "step", Busy.REFUSE, Terminal(quiet=True))


def lock_file() -> Path:
    return Path(os.environ["HOME"], ".cache/gitexp/device.lock")


def test_a_step_is_refused_with_the_holder_and_the_ways_out(
    experiment: Path, gitexp: Gitexp, elsewhere: Callable[[], AbstractContextManager[None]], tmp_path: Path
) -> None:
    set_lr(experiment, 0.3)
    before = git("for-each-ref"), (experiment / "train.py").read_text()
    with elsewhere():
        assert holder_of(lock_file())
        said = gitexp("step", "-m", "x", code=1).stderr
        assert f"{IN_USE}{tmp_path / 'elsewhere'} (process {os.getpid()}, since " in said
        assert "try: gitexp step ... --share-device   # runs beside it; or wait until that is done" in said
        assert (git("for-each-ref"), (experiment / "train.py").read_text()) == before
        assert "exp001 KEEP" in gitexp("step", "--share-device", "-m", "x").stdout
    set_lr(experiment, 0.9)
    assert "exp002 DISCARD" in gitexp("step", "-m", "x").stdout
    assert not holder_of(lock_file())


def test_a_command_edits_nothing_where_the_step_is_refused(
    experiment: Path, gitexp: Gitexp, elsewhere: Callable[[], AbstractContextManager[None]]
) -> None:
    with elsewhere():
        assert IN_USE in gitexp("step", "-m", "x", "--", "touch", "ran", code=1).stderr
    assert not (experiment / "ran").exists()


@pytest.mark.parametrize(
    "command", [("init", "--name", "other"), ("test",), ("verify",), ("pick", "--onto", "results", "--measure")]
)
def test_each_command_that_runs_something_is_refused_or_shares(
    kept: Path, gitexp: Gitexp, elsewhere: Callable[[], AbstractContextManager[None]], command: tuple[str, ...]
) -> None:
    with elsewhere():
        before = git("for-each-ref")
        assert IN_USE in gitexp(*command, code=1).stderr
        assert git("for-each-ref") == before
        assert IN_USE not in gitexp(*command, "--share-device", code=None).stderr


def test_what_cuda_visible_devices_names_is_a_device_of_its_own(
    experiment: Path,
    gitexp: Gitexp,
    elsewhere: Callable[[], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU/../0")
    set_lr(experiment, 0.3)
    with elsewhere():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        gitexp("step", "-m", "x")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU/../0")
        set_lr(experiment, 0.9)
        assert IN_USE in gitexp("step", "-m", "x", code=1).stderr
    names = {"device-1.lock", "device-GPU%2F..%2F0.lock", "device.lock"}  # the last is the baseline's
    assert {file.name for file in lock_file().parent.glob("device*")} <= names


def test_the_lock_of_a_dead_process_and_a_cache_that_is_none_are_in_nobodys_way(
    experiment: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    lock_file().parent.mkdir(parents=True, exist_ok=True)
    lock_file().write_text(f"gitexp step of exp/fit in /x (process {int(dead.stdout)}, since 00:00:00)")
    set_lr(experiment, 0.3)
    gitexp("step", "-m", "x")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("GITEXP_SCRATCH", str(tmp_path / "trees"))
    set_lr(experiment, 0.9)
    assert "Nothing keeps another run from this device" in gitexp("step", "-m", "x").stderr


def test_it_is_held_in_runs_and_not_while_a_proposer_works(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    look = (
        f"import fcntl\nwith open({str(lock_file())!r}, 'a') as f:\n"
        "    try: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB); print('free')\n"
        "    except OSError: print('held')\n"
    )
    (tmp_path / "look.py").write_text(look)
    hook_that(folder, f'echo run $({sys.executable} {tmp_path}/look.py) >> {tmp_path}/said; "$GITEXP_PYTHON" train.py')
    gitexp("init", "--budget", "5", "--rule", "single")
    edit = f"echo propose $({sys.executable} {tmp_path}/look.py) >> {tmp_path}/said; echo '# new' >> train.py"
    gitexp("loop", "--steps", "1", "--", "sh", "-c", edit + "; sed -i s/0.1/0.2/ train.py")
    assert (tmp_path / "said").read_text().split("\n") == ["run held", "propose free", "run held", ""]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["loop", "sweep"])
def test_a_loop_waits_and_says_so_once(
    folder: Path, gitexp: Gitexp, elsewhere: Callable[[], AbstractContextManager[None]], command: str
) -> None:
    gitexp("init", "--budget", "5", "--rule", "single")
    what = ("LR=0.2",) if command == "sweep" else ("--", "sed", "-i", "s/^LR.*/LR = 0.2/", "train.py")
    with elsewhere():
        process = start_loop(folder, "--steps", "1", *what, command=command)
        assert process.stderr
        while IN_USE not in (said := process.stderr.readline()):
            assert said
        assert said.endswith(": this waits for it. With --share-device it runs beside it.\n")
        assert process.poll() is None
        assert len(ledger_of(folder).iterations) == 1
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    assert IN_USE not in rest
    assert len(ledger_of(folder).iterations) == 2


@pytest.mark.slow
def test_a_killed_holder_blocks_nobody(folder: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    hook_that(folder, f"grep -q 0.9 train.py && {{ touch {tmp_path}/running; sleep 60; }}\necho val_bpb: 2\n")
    gitexp("init", "--budget", "5", "--rule", "single")
    set_lr(folder, 0.9)
    process = subprocess.Popen([sys.executable, "-m", "gitexp", "step", "-m", "x"])
    wait_for(tmp_path / "running")
    assert "gitexp step of exp/train in " in holder_of(lock_file())
    process.kill()
    process.wait()
    set_lr(folder, 0.2)
    gitexp("step", "-m", "after")
