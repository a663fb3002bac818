"""Hostile names go through the commands, and each suggested command is pasted into a shell: it runs nothing of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import Result

from gitexp.text import hides
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import TOY, git, make_repository, set_lr

pytestmark = pytest.mark.slow  # every command that is printed, in bash

BRANCHES = ["$(touch${IFS}PWNED)", "a;touch${IFS}PWNED", "`touch${IFS}PWNED`", "a\u202eb", "it's", "a\u200bb"]
FILES = ["$(touch PWNED).py", "; touch PWNED", "-x", "a\n  try: touch PWNED", "a\u202eb", "=a"]


def paste(result: Result, folder: Path) -> None:
    """Check what was printed, and run the command that it suggests."""
    lines = result.stderr.splitlines()
    assert not any(map(hides, lines)), result.stderr
    hints = [line.partition("try: ")[2] for line in lines if line.startswith("  try: ")]
    assert len(hints) == 1, result.stderr
    subprocess.run(["bash", "-c", hints[0]], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert not list(folder.rglob("PWNED")), hints[0]


@pytest.mark.parametrize("name", BRANCHES)
def test_names_of_branches(name: str, folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--name", name, "--budget", "5", "--rule", "single", "--in-place")
    paste(gitexp("init", "--name", name, code=1), folder)
    git("switch", "-q", "-c", f"mine-{name}")
    paste(gitexp("status", code=1), folder)
    assert git("branch", "--show-current").strip() == f"exp/{name}"  # as was suggested
    set_lr(folder, 0.2)
    gitexp("step", "-m", "=1+1")
    paste(gitexp("step", "-m", "x", "--", "sh", "-c", "git switch -q --detach; echo '#' >> train.py", code=1), folder)
    git("checkout", "-qf", f"exp/{name}")
    git("worktree", "add", "-q", "--detach", "../other")
    git("-C", "../other", "switch", "-q", "-c", f"held-{name}")
    paste(gitexp("pick", "--onto", f"held-{name}", code=1), folder)
    git("branch", f"review/{name}", "main")
    paste(gitexp("pr", code=1), folder)
    assert not hides(gitexp("pick", "--onto", f"new-{name}").stdout.replace("\n", ""))


@pytest.mark.parametrize("name", FILES)
def test_names_of_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp) -> None:
    folder = make_repository(tmp_path / "r", {"train.py": TOY, name: "1\n", "other": "1\n"})
    monkeypatch.chdir(folder)
    gitexp("init", "--budget", "5", "--rule", "single", "--freeze", "other", f"--edit=./{name}", "--edit", "train.py")
    (folder / name).write_text("2\n")
    paste(gitexp("step", "-m", "x", "--", "true", code=1), folder)
    git("add", "-A")
    paste(gitexp("step", "-m", "x", code=1), folder)
    git("checkout", "-qf", "HEAD", "--", ".")
    git("checkout", "-q", "-f", "main")
    git("branch", "-qD", "exp/train")
    gitexp("init", "--budget", "5", "--rule", "single", "--name", "two")
    (folder / name).write_text("2\n")
    paste(gitexp("step", "-m", "x", code=1), folder)
    git("checkout", "-qf", "HEAD", "--", ".")


@pytest.mark.parametrize("name", ["a;touch PWNED;#", "$(touch PWNED)", "a\u202eb"])
def test_names_of_folders(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gitexp: Gitexp) -> None:
    folder = make_repository(tmp_path / name / "r", {"train.py": TOY})
    monkeypatch.chdir(folder)
    gitexp("init", "--budget", "5", "--rule", "single")
    (folder / "STOP").touch()
    paste(gitexp("loop", "--steps", "1", "--", "true", code=1), folder)
    assert not (folder / "STOP").exists()
    lock = folder / ".git/index.lock"
    lock.touch()
    set_lr(folder, 0.2)
    paste(gitexp("step", "-m", "x", code=1), folder)
    assert not lock.exists()
    (folder / ".git/hooks/post-run").chmod(0o644)
    paste(gitexp("step", "-m", "x", code=1), folder)
    gitexp("step", "-m", "x")


def test_tables_hold_no_formula(folder: Path, gitexp: Gitexp) -> None:
    gitexp("init", "--budget", "5", "--rule", "single")
    set_lr(folder, 0.2)
    gitexp("step", "-m", "=1+1")
    assert gitexp("log", "--tsv").stdout.splitlines()[-1].split("\t")[-1] == "'=1+1"
    assert (folder / "results.tsv").read_text().splitlines()[-1].split("\t")[6] == "'=1+1"
    assert not re.search(r"duplicate|views", gitexp("fsck").stdout)
