"""Every test is hermetic: its own home, no git configuration but the one made here, fixed identity and dates."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gitexp.cli import cli
from gitexp.git.repository import Repository
from tests.helpers import forgery
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import STEPS, TOY, TRAINER, Once, make_repository, set_constant

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell starts in the background ignores ^C, and so does all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


_MADE: list[Path] = []  # the experiment below, once it is made


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-point", action="store_true", help="Strike each fault at every point, not at each third.")


@pytest.fixture
def stride(request: pytest.FixtureRequest) -> int:
    """For the faults that are struck at some points only, unless all are asked for: kill -9 always is at every one."""
    return 1 if request.config.getoption("--every-point") else 3


@pytest.fixture(autouse=True)
def _hermetic(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GIT_", "GITEXP_", "XDG_")) or name in ("TIME_BUDGET", "RANDOM_SEED", "RESULTS_TSV"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    person = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.org", "DATE": "2026-01-02T03:04:05Z"}
    people = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in person.items()}
    plain = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
    }
    for name, value in {"HOME": str(home), "COLUMNS": "120", **people, **plain}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def once(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Once:
    """A repository that is made once a session, under a name, and copied for each test; the current directory is there.

    What it is made by runs in an empty folder, or in the copy that an earlier call made.
    """
    place = tmp_path / "repository"

    def copied(name: str, make: Callable[[Path], object]) -> Path:
        made = tmp_path_factory.getbasetemp() / f"made-{name}"
        if not made.exists():
            place.mkdir(exist_ok=True)
            monkeypatch.chdir(place)
            make(place)
            shutil.copytree(place, made, symlinks=True)
        monkeypatch.chdir(tmp_path)
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
    return once("toy", lambda place: make_repository(place, {"train.py": TOY}))


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
def experiment(folder: Path, once: Once, gitexp: Gitexp) -> Path:
    """The toy's experiment, its baseline sealed: LR 0.1 scores 2.04, and 0.3 would be best."""
    return once("experiment", lambda _: gitexp("init", "--budget", "5", "--goal", "lowest val_bpb"))


@pytest.fixture
def branch(request: pytest.FixtureRequest, once: Once, gitexp: Gitexp) -> Any:
    """The branch that :mod:`tests.helpers.forgery` makes; the current directory is in a copy of it, without views."""
    rule = getattr(request, "param", "single")
    once(f"forge-{rule}", lambda place: forgery.make(place, gitexp, rule))
    for view in ("results.tsv", "EXPERIMENT.md"):
        Path(view).unlink()
    return forgery.Branch.read()


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
def kept(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    gitexp: Gitexp,
    scratch_home: Path,
) -> Path:
    """A copy of an experiment with every verdict, made through ``step`` once."""
    if not _MADE:
        made = make_repository(tmp_path_factory.mktemp("made") / "repository", {"train.py": TRAINER})
        monkeypatch.chdir(made)
        gitexp("init", "--rule", "single", "--budget", "5", "--goal", "lowest val_bpb")
        for name, value, expected in STEPS:
            set_constant(made, name, value)
            assert expected in gitexp("step", "-m", f"{name} = {value}").stdout
        _MADE.append(made)
    copy = tmp_path / "repository"
    shutil.copytree(_MADE[0], copy, symlinks=True)
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def proposer(tmp_path: Path) -> Path:
    """A script for ``--``: its body is Python, with ``number`` (of the iteration), ``text`` and ``write``."""
    return tmp_path / "proposer.py"
