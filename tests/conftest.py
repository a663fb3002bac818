"""The fixtures: a hermetic environment for every test, and repositories to start from."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gitexp.cli import cli
from gitexp.git.repository import Repository
from tests.helpers import tampering
from tests.helpers.command_line import Gitexp
from tests.helpers.environment import make_hermetic
from tests.helpers.experiments import make_experiment
from tests.helpers.repositories import STEPS, TRAINER, Once, make_repository, make_toy, set_constant

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell starts in the background ignores ^C, and so does all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-point", action="store_true", help="Strike each fault at every point, not at each third.")


@pytest.fixture
def stride(request: pytest.FixtureRequest) -> int:
    """For the faults that are struck at some points only, unless all are asked for: kill -9 always is at every one."""
    return 1 if request.config.getoption("--every-point") else 3


@pytest.fixture(scope="session", autouse=True)
def _hermetic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The environment of all tests, also of what several of them share; the folder that holds their homes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("environment")
        make_hermetic(monkeypatch, folder)
        yield folder


@pytest.fixture(autouse=True)
def _home(_hermetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test finds an empty home."""
    monkeypatch.setenv("HOME", tempfile.mkdtemp(prefix="home-", dir=_hermetic))


@pytest.fixture
def once(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Once:
    """A repository that is made once, under a name, and copied for each test; the current directory is there.

    What it is made by runs in an empty folder.
    """
    place = tmp_path / "repository"
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # one folder for all workers

    def copied(name: str, make: Callable[[Path], object]) -> Path:
        made = shared / f"made-{name}"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                monkeypatch.chdir(place)
                make(place)
                monkeypatch.chdir(tmp_path)
                place.rename(made)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(made, place, symlinks=True)
        if (packs := place / ".git/objects/pack").is_dir():
            os.utime(packs, (1, 1))  # packs that changed a moment ago have git's processes started anew
        monkeypatch.chdir(place)
        return place

    return copied


@pytest.fixture
def folder(once: Once) -> Path:
    """A repository with a toy trainer on main, and the current directory in it."""
    return once("toy", make_toy)


@pytest.fixture
def repo(folder: Path) -> Repository:
    return Repository.discover(folder)


@pytest.fixture
def gitexp() -> Gitexp:
    """Run the command line in this process: ``gitexp("step", "-m", "x")``. Fails on another exit code than ``code``."""

    def run(*args: str, code: int | None = 0) -> Result:
        result = CliRunner().invoke(cli, args, prog_name="gitexp")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        if code is not None:
            assert result.exit_code == code, f"exit {result.exit_code}: {result.output}"
        return result

    return run


@pytest.fixture
def experiment(once: Once, gitexp: Gitexp) -> Path:
    """The toy's experiment, its baseline sealed: LR 0.1 scores 2.04, and 0.3 would be best."""
    return once("experiment", lambda place: make_experiment(place, gitexp))


@pytest.fixture
def branch(request: pytest.FixtureRequest, once: Once, gitexp: Gitexp) -> Any:
    """The branch that :mod:`tests.helpers.tampering` makes; the current directory is in a copy of it, without views."""
    rule = getattr(request, "param", "single")
    once(f"tampering-{rule}", lambda place: tampering.make(place, gitexp, rule))
    for view in ("results.tsv", "EXPERIMENT.md"):
        Path(view).unlink()
    return tampering.Branch.read()


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the hook of :mod:`tests.helpers.faults` notes each run."""
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def scratch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made: empty again after whatever a test did."""
    home = tmp_path / "tmp"
    home.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    return home


@pytest.fixture
def kept(once: Once, gitexp: Gitexp, scratch_home: Path) -> Path:
    """A copy of an experiment with every verdict, made through ``step`` once."""

    def make(folder: Path) -> None:
        make_repository(folder, {"train.py": TRAINER})
        gitexp("init", "--rule", "single", "--budget", "5", "--goal", "lowest val_bpb")
        for name, value, expected in STEPS:
            set_constant(folder, name, value)
            assert expected in gitexp("step", "-m", f"{name} = {value}").stdout

    return once("kept", make)


@pytest.fixture
def proposer(tmp_path: Path) -> Path:
    """A script for ``--``: its body is Python, with ``number`` (of the iteration), ``text`` and ``write``."""
    return tmp_path / "proposer.py"
