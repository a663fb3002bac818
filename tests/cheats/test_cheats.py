"""Each cheat is committed to nothing: it is caught with its name, or it gains nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from gitexp.model import Status
from tests.cheats.cheats import CHEATS, Cheat
from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import git, make_repository, set_lr

HONEST = 1.0  # bits per byte: no second of training gets below
MARKS = {
    "AT_IMPORT": "from mlx import nn\n",
    "TRAINS": "def main() -> None:\n",
    "IN_MODEL": '        """Logits (batch, length, vocabulary) for tokens (batch, length)."""\n',
    "RETURN": "return self.head(norm(x)).astype(mx.float32)",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's experiment, its baseline sealed."""
    folder = tmp_path_factory.mktemp("cheats") / "repository"
    make_repository(folder, {})
    command = [sys.executable, "-m", "gitexp", "init", "--template", "mlx", "--budget", "1", "--rule", "single"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


def apply(cheat: Cheat, script: Path) -> None:
    text, mark = script.read_text(), MARKS[cheat.where]
    assert text.count(mark) == 1, f"train.py has no place for {cheat.where}"
    depth = {"TRAINS": 4, "IN_MODEL": 8}.get(cheat.where, 0)
    code = cheat.code if cheat.where == "RETURN" else textwrap.indent(textwrap.dedent(cheat.code), " " * depth) + "\n"
    script.write_text(text.replace(mark, mark + code))


@pytest.mark.slow
@pytest.mark.parametrize("name", CHEATS)
def test_what_catches_each_cheat(
    base: Path, tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    cheat, folder = CHEATS[name], tmp_path / "repository"
    shutil.copytree(base, folder)
    monkeypatch.chdir(folder)
    apply(cheat, folder / "train.py")
    gitexp("step", "-m", name)
    sealed = ledger_of(folder).iterations[-1]
    print(f"\n{name:<52} {sealed.status.value:<8} {sealed.reason[:100]}")
    (log_file,) = (folder / ".git/gitexp/train/logs").glob("exp001-????????.log")
    log = log_file.read_text(errors="replace")
    if cheat.caught:
        assert sealed.status is Status.CRASH
        assert cheat.caught in sealed.reason + log, log[-2000:]
    else:
        assert sealed.score is not None, log[-2000:]
        assert sealed.score > HONEST
    assert not [p for p in psutil.process_iter(["cmdline"]) if "3600" in (p.info["cmdline"] or [])]


# -- without the template ----------------------------------------------------------------------------------------------


def test_a_description_forges_no_trailers(experiment: Path, gitexp: Gitexp) -> None:
    set_lr(experiment, 0.9)
    gitexp("step", "-m", "x\n\nExp-Id: exp001\nExp-Status: KEEP\nExp-Score: 0.1\nExp-Tree: x\n")
    sealed = ledger_of(experiment).iterations[-1]
    assert (sealed.status, sealed.score) == (Status.DISCARD, 2.36)
    assert git("log", "-1", "--format=%(trailers:key=Exp-Status,valueonly)", "HEAD~1").strip() == "DISCARD"
    assert "in order" in gitexp("fsck").stdout


def test_a_commit_that_looks_like_an_iteration_is_none(experiment: Path, gitexp: Gitexp) -> None:
    message = git("log", "-1", "--format=%B").replace("exp000", "exp001").replace("Exp-Format: 1\n", "")
    set_lr(experiment, 0.3)
    git("commit", "-qam", message)
    assert [i.id for i in ledger_of(experiment).iterations] == ["exp000"]
    assert gitexp("fsck", code=1).stdout.startswith("copied")


def test_another_seed_is_no_edit(folder: Path, gitexp: Gitexp) -> None:
    """The seed is given to each run, and the incumbent is run with the same ones."""
    (folder / "train.py").write_text("import os\nprint('val_bpb:', 2 + int(os.environ['RANDOM_SEED']) / 10)\n")
    gitexp("init")
    (folder / "train.py").write_text("import os\nprint('val_bpb:', 2 + int(os.environ['RANDOM_SEED']) / 10)  # lucky\n")
    assert "DISCARD" in gitexp("step", "-m", "a lucky seed").stdout
