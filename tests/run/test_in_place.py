"""Where a project runs in the work tree, the commit is still what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.hooks import hook_that
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, make_repository


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_repository(tmp_path / "r", {"src/train.py": TOY, "metrics.json": "{}\n"})
    monkeypatch.chdir(folder)
    return folder


def set_lr_there(folder: Path, value: float) -> None:
    (folder / "src/train.py").write_text(TOY.replace("0.1", str(value), 1))


def test_what_a_run_writes_into_an_editable_folder_is_no_edit(package: Path, gitexp: Gitexp) -> None:
    hook_that(package, 'head -c 300000 /dev/urandom > src/model.bin; "$GITEXP_OWN_PYTHON" src/train.py\n')
    gitexp("init", "src/train.py", "--edit", "src", "--in-place", "--rule", "single")
    assert "Nothing changed in src" in gitexp("step", "-m", "x", code=1).stderr
    set_lr_there(package, 0.2)
    assert "exp001 KEEP" in gitexp("step", "-m", "x").stdout
    assert git("ls-tree", "-r", "--name-only", "HEAD").split() == ["metrics.json", "src/train.py"]
    (package / "src/extra.py").write_text("mine\n")
    assert "exp002" in gitexp("step", "-m", "y").stdout
    assert git("show", "--name-only", "--format=", "HEAD~1").split() == ["src/extra.py"]


def test_a_tracked_file_that_runs_rewrite_is_put_back(package: Path, gitexp: Gitexp) -> None:
    hook_that(package, 'date +%s%N > metrics.json; "$GITEXP_OWN_PYTHON" src/train.py\n')
    said = gitexp("init", "src/train.py", "--in-place", "--rule", "single").stderr
    assert said.count("The run rewrites metrics.json, which git tracks: put back after each run.") == 1
    for value in (0.2, 0.25):
        set_lr_there(package, value)
        done = gitexp("step", "-m", "x")
        assert "KEEP" in done.stdout
        assert "metrics.json" not in done.stderr
        assert git("status", "--porcelain") == ""
    loop = gitexp("loop", "--steps", "1", "--", "sed", "-i.bak", "s/0.25/0.28/", "src/train.py")
    assert "exp003 KEEP" in loop.stdout


def test_a_run_during_which_an_editable_file_changed_is_not_judged(package: Path, gitexp: Gitexp) -> None:
    hook_that(package, 'grep -q 0.2 src/train.py && echo "# saved" >> src/train.py\necho val_bpb: 1\n')
    gitexp("init", "src/train.py", "--in-place", "--rule", "single")
    set_lr_there(package, 0.2)
    said = gitexp("step", "-m", "x", code=1).stderr
    assert "src/train.py was changed during the run: no verdict" in said
    assert len(ledger_of(package).iterations) == 1
    assert (package / "src/train.py").read_text().endswith("# saved\n")
