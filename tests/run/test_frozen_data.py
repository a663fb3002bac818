"""Data that git does not hold is frozen by its digest, and committed by nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.run import frozen_data
from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, make_repository, set_lr

READS = TOY + 'print(open("data/big.txt").read())\n'


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_repository(tmp_path / "r", {"train.py": READS, ".gitignore": "data/\n"})
    monkeypatch.chdir(folder)
    (folder / "data").mkdir()
    (folder / "data/big.txt").write_text("one\n")
    return folder / "data/big.txt"


@pytest.mark.parametrize("where", [(), ("--in-place",)], ids=["clean tree", "in place"])
@pytest.mark.parametrize("path", ["data/big.txt", "data"])
def test_ignored_data_is_frozen_and_not_committed(
    data: Path, gitexp: Gitexp, where: tuple[str, ...], path: str
) -> None:
    index = git("ls-files", "-s")
    gitexp("init", "--freeze", path, *where)
    assert git("ls-tree", "-r", "--name-only", "HEAD").split() == [".gitignore", "train.py"]
    assert git("ls-files", "-s") == index
    (frozen,) = ledger_of(Path.cwd()).contract.data
    assert (frozen.path, frozen.size) == ("data/big.txt", 4)
    set_lr(Path.cwd(), 0.2)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout
    data.write_text("two\n")
    set_lr(Path.cwd(), 0.25)
    assert "data/big.txt is frozen in this experiment" in gitexp("step", "-m", "y", code=1).stderr
    git("checkout", "-q", "train.py")
    git("switch", "-q", "main")
    assert data.exists()


@pytest.mark.parametrize("where", [(), ("--in-place",)], ids=["clean tree", "in place"])
def test_picked_code_is_measured_on_it(data: Path, gitexp: Gitexp, where: tuple[str, ...]) -> None:
    gitexp("init", "--freeze", "data/big.txt", *where)
    set_lr(Path.cwd(), 0.2)
    gitexp("step", "-m", "x")
    assert "The picked code holds the score" in gitexp("pick", "--onto", "results", "--measure").stderr
    data.write_text("two\n")
    assert "data/big.txt is frozen" in gitexp("pick", "--onto", "others", "--measure", code=1).stderr


def test_a_run_that_changes_it_is_a_crash(data: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--freeze", "data/big.txt")
    (Path.cwd() / "train.py").write_text(READS + 'open("data/big.txt", "a").write("more")\n')
    said = gitexp("step", "-m", "x").stdout
    assert "exp001 CRASH" in said
    assert "data/big.txt is frozen, and was changed during the run" in said


def test_it_is_hashed_only_where_it_may_have_changed(
    data: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitexp("init", "--freeze", "data/big.txt")
    contract = ledger_of(Path.cwd()).contract
    place = ExperimentFiles.of(Repository.discover(Path.cwd()), "train")
    read: list[str] = []
    original = frozen_data._read
    monkeypatch.setattr(frozen_data, "_read", lambda top, path: read.append(path) or original(top, path))  # type: ignore[func-returns-value]
    for _ in range(2):
        assert frozen_data.changed_data(Path.cwd(), place, contract) == ""
    assert read == []
    os.utime(data)
    assert frozen_data.changed_data(Path.cwd(), place, contract) == ""
    assert read == ["data/big.txt"]
    times = data.stat()
    data.write_text("two\n")
    os.utime(data, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert frozen_data.changed_data(Path.cwd(), place, contract) == "data/big.txt"


def test_a_tracked_link_is_frozen_by_what_it_points_at(data: Path, gitexp: Gitexp) -> None:
    """As git-annex has it: the link is tracked, its target is below .git."""
    annexed = Path(".git/annex/objects/SHA256E-s4--abc")
    annexed.parent.mkdir(parents=True)
    annexed.write_text("one\n")
    Path("set.txt").symlink_to(annexed)
    (Path.cwd() / "train.py").write_text(TOY + 'print(open("set.txt").read())\n')
    git("add", "-A")
    git("commit", "-qm", "annex")
    gitexp("init", "--freeze", "set.txt")
    set_lr(Path.cwd(), 0.2)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout
    annexed.write_text("two\n")
    set_lr(Path.cwd(), 0.25)
    assert "set.txt is frozen in this experiment" in gitexp("step", "-m", "y", code=1).stderr
