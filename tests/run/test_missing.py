"""What a run in a clean tree misses is named, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, make_repository


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_repository(tmp_path / "r", {"train.py": TOY, ".gitignore": "data/\n"})
    monkeypatch.chdir(folder)
    (folder / "data").mkdir()
    (folder / "data/x.txt").write_text("1\n")
    (folder / "helper.py").write_text("y = 1\n")
    return folder


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("import helper", "helper.py is in no commit"),
        ("import importlib; importlib.import_module('helper')", "helper.py was missed by the run"),
        ("open('dat' + 'a/x.txt')", "data is ignored by git"),
        ("import os; os.system('cat dat?/x.txt 2>/dev/null || cat data/x.txt') and exit(1)", "data is ignored by git"),
    ],
)
def test_what_only_the_work_tree_has_is_named_and_not_recorded(
    folder: Path, gitexp: Gitexp, line: str, named: str
) -> None:
    gitexp("init", "--skip-link", "data")
    (folder / "train.py").write_text(f"{line}\n{TOY}")
    said = gitexp("step", "-m", "x", code=1).stderr
    assert named in said
    assert len(ledger_of(folder).iterations) == 1
    assert (folder / "train.py").read_text().startswith(line)


@pytest.mark.parametrize("line", ["open('nowhere.txt')", "import nothing_like_it", "open('.git/hooks/post-run')"])
def test_what_nobody_has_is_a_crash(folder: Path, gitexp: Gitexp, line: str) -> None:
    gitexp("init", "--skip-link", "data")
    (folder / "train.py").write_text(f"{line}\n{TOY}")
    assert "exp001 CRASH" in gitexp("step", "-m", "x").stdout
