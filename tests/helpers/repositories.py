"""Repositories with a toy trainer, and what git says of them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

TOY = """\
LR = 0.1
print("---")
print(f"val_bpb: {2 + (LR - 0.3) ** 2:.6f}")
print("peak_memory_mb: 12.5")
print("num_steps: 7")
"""
# Blocks that are apart merge by themselves; A, B and C are neighbours.
BLOCKS = "A = 1\nB = 1\nC = 1\n\nD = 1\n\nE = 1\n"
TRAINER = BLOCKS + 'print("val_bpb:", sum((value - 5) ** 2 for value in (A, B, C, D, E)))\n'
STEPS = (
    ("A", "2", "exp001 KEEP"),
    ("D", "2", "exp002 KEEP"),
    ("D", "0", "exp003 DISCARD"),
    ("A", "3", "exp004 KEEP"),
    ("E", "3", "exp005 KEEP"),
    ("B", "2", "exp006 KEEP"),
    ("E", "oops", "exp007 CRASH"),
    ("D", "3", "exp008 KEEP"),
)
KEEPS = ["exp001", "exp002", "exp004", "exp005", "exp006", "exp008"]


def git(*args: str, cwd: Path | str | None = None, stdin: str | None = None) -> str:
    done = subprocess.run(["git", *args], cwd=cwd, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
    return done.stdout


def make_repository(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git("init", "-q", cwd=folder)
    git("symbolic-ref", "HEAD", "refs/heads/main", cwd=folder)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git("add", "-A", cwd=folder)
    git("commit", "-q", "--allow-empty", "-m", "start", cwd=folder)
    return folder


def make_toy(folder: Path) -> Path:
    return make_repository(folder, {"train.py": TOY})


Once = Callable[[str, Callable[[Path], object]], Path]


def set_lr(folder: Path, value: object) -> None:
    """Edit the toy trainer as a person would: one constant."""
    lines = (folder / "train.py").read_text().splitlines(keepends=True)
    (folder / "train.py").write_text("".join([f"LR = {value}\n", *lines[1:]]))


def set_constant(folder: Path, name: str, value: str) -> None:
    """Edit one constant of TRAINER."""
    text, count = re.subn(rf"(?m)^{name} = .*", f"{name} = {value}", (folder / "train.py").read_text())
    assert count == 1
    (folder / "train.py").write_text(text)


def state_of(folder: Path) -> tuple[str, ...]:
    """All that a person would miss: refs, HEAD, index, status, files, hooks."""
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if ".git/" not in str(p) and p.name != ".git")
    hooks = sorted(os.listdir(folder / ".git" / "hooks")) if (folder / ".git" / "hooks").exists() else []
    return (
        git("for-each-ref", cwd=folder),
        (folder / ".git" / "HEAD").read_text(),
        git("ls-files", "-s", cwd=folder),
        git("status", "--porcelain", "--ignored", cwd=folder),
        "\n".join(files + hooks),
    )


def commit_all(folder: Path, message: str) -> str:
    git("commit", "-qam", message, cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder).strip()


def refs(folder: Path) -> str:
    return git("for-each-ref", cwd=folder)


def subjects(since: str, branch: str) -> list[str]:
    return git("log", "--reverse", "--format=%s", f"{since}..{branch}").splitlines()


def ids(branch: str, since: str = "main") -> list[str]:
    return [subject.split()[0] for subject in subjects(since, branch)]


def content(revision: str, path: str = "train.py") -> str:
    return git("show", f"{revision}:{path}")
