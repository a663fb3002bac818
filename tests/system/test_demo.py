"""``gitexp demo``, as a newcomer runs it: real training, computed verdicts."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gitexp.cli.demo import go_on
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.model import Status
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git


@pytest.mark.slow
def test_the_demo_keeps_discards_and_crashes_for_real(
    tmp_path: Path, gitexp: Gitexp, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "demo"
    said = gitexp("demo", str(folder)).stdout
    ledger = history.load(Repository.discover(folder), "demo")
    assert len(ledger.iterations) == 5
    assert {i.status for i in ledger.iterations[1:]} == set(Status)
    crash = next(i for i in ledger.iterations if i.status is Status.CRASH)
    log = (folder / ".git/gitexp/demo/logs" / f"{crash.candidate.label(1)}.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "train.py" in crash.measurement.error
    for iteration in ledger.iterations:
        assert iteration.id in said
    assert git("status", "--porcelain", cwd=folder) == ""
    report = folder / ".git/gitexp/demo/report.html"
    assert said.endswith(f"\nA page to look at: {report}\nGo on with: {go_on(folder)}\n")
    assert "MLP ratio 4 -&gt; 3" in report.read_text()

    views = {name: (folder / name).read_bytes() for name in ("results.tsv", "EXPERIMENT.md")}
    for name in views:
        (folder / name).unlink()
    monkeypatch.chdir(folder)
    gitexp("render")
    assert {name: (folder / name).read_bytes() for name in views} == views

    git("switch", "-q", "main")
    for iteration in ledger.iterations[1:]:
        if iteration.status is Status.KEEP:
            git("cherry-pick", iteration.commit)
    assert git("diff", "main", "exp/demo") == ""


def test_the_demo_s_last_line_can_be_typed_where_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = tmp_path / "my env" / "bin", tmp_path / "bin"
    for folder in (ours, other, tmp_path / "demo it"):
        folder.mkdir(parents=True)
    for program in (ours / "gitexp", other / "gitexp"):
        program.write_text('#!/bin/sh\necho "$0 $1"\n')
        program.chmod(0o755)
    (tmp_path / "package").mkdir()

    def typed(script: Path, *path: Path) -> str:
        monkeypatch.setattr(sys, "argv", [str(script), "demo"])
        monkeypatch.setenv("PATH", os.pathsep.join([*map(str, path), "/usr/bin", "/bin"]))
        line = go_on(Path("demo it"))
        return subprocess.run(["sh", "-ec", line], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert go_on(Path("demo")).startswith("cd demo && ")
    assert typed(ours / "gitexp") == f"{ours}/gitexp status\n"
    assert typed(ours / "git-exp", other) == f"{ours}/gitexp status\n"
    assert typed(ours / "gitexp", ours, other) == f"{ours}/gitexp status\n"
    assert "PATH=" not in go_on(Path("demo"))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "package" / "__main__.py")])
    assert go_on(Path("demo")) == f"cd demo && {shlex.quote(sys.executable)} -m gitexp status"


def test_the_demo_wants_a_folder_of_its_own(tmp_path: Path, gitexp: Gitexp) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "exists and is not empty" in gitexp("demo", str(tmp_path), code=1).stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
