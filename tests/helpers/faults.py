"""Faults from outside the product: a command line that dies, or is failed, at its k-th git call, file write or fork.

Audit events of Python, and what the kept processes of git are told, are the fault points, so the product has none;
what must hold afterwards is checked with plain git commands, which share no code with the product.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from gitexp.cli import COMMANDS, cli, main
from gitexp.git import kept_files
from gitexp.git.driver import Batch
from tests.helpers.repositories import git

for _name in COMMANDS:  # what is imported here is no fault point there
    cli.get_command(click.Context(cli), _name)

HOOK = """#!/bin/sh
score=$(sed -n 's/^SCORE = //p' train.py)
echo "$score" >> "$RUNS"
[ "$score" = crash ] && { echo "ValueError: crash"; exit 1; }
echo "val_bpb: $score"
"""
BASE, STAYS = "SCORE = 2.0\n", "not gitexp's\n"
_CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod", "os.fork", "subprocess.Popen")

Fault = Callable[[], None]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def disk_full() -> None:
    raise OSError(28, "No space left on device")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@dataclass
class Ended:
    code: int  # as subprocess has it: negative for a signal
    output: str
    points: int  # the fault points that were passed


def gitexp(folder: Path, *args: str, at: int = 0, fault: Fault = die, notes: Path | None = None) -> Ended:
    """Run the command line in a child of this process; ``fault`` strikes at fault point ``at`` (0: never)."""
    output, points = ((notes or folder.parent) / name for name in ("output", "points"))
    points.write_bytes(b"")
    pid = os.fork()
    if pid == 0:
        _child(folder, args, at, fault, output, points)
    _, status = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), output.read_text(errors="replace"), points.stat().st_size)


def _child(folder: Path, args: tuple[str, ...], at: int, fault: Fault, output: Path, points: Path) -> None:
    code = 99
    try:
        os.setsid()
        os.chdir(folder)
        out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["gitexp", *args]
        sys.dont_write_bytecode = True
        count, seen, me = os.open(points, os.O_WRONLY | os.O_APPEND), 0, os.getpid()

        def point() -> None:
            nonlocal seen
            if os.getpid() == me:
                seen += 1
                os.write(count, b".")
                if seen == at:
                    fault()

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if _changes_something(event, arguments):
                point()

        sys.addaudithook(hook)
        _strike_beside_kept_processes(point)
        _strike_beside_exchanges(point)
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _strike_beside_kept_processes(point: Callable[[], None]) -> None:
    """Before and after what a git process that is kept open is told to change."""
    ask = Batch.ask

    def struck(self: Batch, question: bytes, read: Callable[[IO[bytes]], object]) -> object:
        changes = self._args[0] in ("update-ref", "hash-object", "mktree")
        if changes:
            point()
        answer = ask(self, question, read)
        if changes:
            point()
        return answer

    Batch.ask = struck  # type: ignore[assignment,method-assign]


def _strike_beside_exchanges(point: Callable[[], None]) -> None:
    """Before and after the renames that the C library is asked for."""

    def struck(rename: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        def strike(one: Path, other: Path) -> None:
            point()
            rename(one, other)
            point()

        return strike

    kept_files.exchange, kept_files.move_new = struck(kept_files.exchange), struck(kept_files.move_new)


def _changes_something(event: str, arguments: tuple[object, ...]) -> bool:
    if event != "open":
        return event in _CHANGING
    path, _, flags = arguments
    writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    return bool(writes) and not isinstance(path, int) and not str(path).startswith(("/dev/", "/proc/"))


# -- a repository with something to lose -------------------------------------------------------------------------------


def make(folder: Path) -> Path:
    """A repository with the files that nobody may touch: untracked, ignored, stashed."""
    folder.mkdir(parents=True)
    git("init", "-q", cwd=folder)
    git("symbolic-ref", "HEAD", "refs/heads/main", cwd=folder)
    (folder / "model").mkdir()
    (folder / "train.py").write_text(BASE)
    (folder / "model" / "old.py").write_text("old\n")
    (folder / "model" / "run.sh").write_text("run\n")
    (folder / "other.txt").write_text(STAYS)
    (folder / ".gitignore").write_text("*.bin\n")
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "start", cwd=folder)
    (folder / "other.txt").write_text("stashed\n")
    git("stash", "-q", cwd=folder)
    (folder / "scratch.txt").write_text(STAYS)
    (folder / "data.bin").write_text(STAYS)
    hook = folder / ".git" / "hooks" / "post-run"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    return folder


def begin(folder: Path, *args: str) -> Path:
    make(folder)
    init = ("init", "--edit", "train.py", "--edit", "model", "--budget", "5", "--goal", "low", "--rule", "single")
    ended = gitexp(folder, *init, *args)
    assert ended.code == 0, ended.output
    return folder


def edit(folder: Path, score: str) -> str:
    """Change, add and delete editable files; the tree that git makes of it."""
    (folder / "train.py").write_text(f"SCORE = {score}\n")
    (folder / "model" / "new.py").write_text("new\n")
    (folder / "model" / "old.py").unlink()
    (folder / "model" / "run.sh").chmod(0o755)
    return tree_of_work(folder)


def tree_of_work(folder: Path) -> str:
    """The tree of the editable files as they lie in the work tree, beside HEAD's others."""
    index = folder.parent / "scratch-index"
    index.unlink(missing_ok=True)
    os.environ["GIT_INDEX_FILE"] = str(index)
    try:
        git("read-tree", "HEAD", cwd=folder)
        git("add", "-A", "train.py", "model", cwd=folder)
        return git("write-tree", cwd=folder).strip()
    finally:
        del os.environ["GIT_INDEX_FILE"]


# -- what must hold ----------------------------------------------------------------------------------------------------


def check(folder: Path, old_tip: str, candidate: str, expected: str) -> bool:
    """Check everything that must hold after recovery; whether the candidate was sealed."""
    git("fsck", "--strict", "--no-dangling", cwd=folder)
    _check_clean(folder)
    tip = git("rev-parse", "exp/train", cwd=folder).strip()
    git("merge-base", "--is-ancestor", old_tip, tip, cwd=folder)
    new = git("log", "--reverse", "--first-parent", "--format=%H %T %s", f"{old_tip}..{tip}", cwd=folder).splitlines()
    base = git("rev-parse", f"{old_tip}^{{tree}}", cwd=folder).strip()
    if not new:
        assert tree_of_work(folder) == candidate, "the edit is not in the work tree"
    else:
        commit, tree, subject = new[0].split(" ", 2)
        assert tree == candidate
        status = git("log", "-1", "--format=%(trailers:key=Exp-Status,valueonly)", commit, cwd=folder).strip()
        assert status == expected
        assert subject.startswith(f"exp001 {expected}")
        assert len(new) == (1 if expected == "KEEP" else 2), new
        if expected != "KEEP":
            assert new[1].split(" ", 2)[1:] == [base, f'Revert "{subject}"']
        assert tree_of_work(folder) == (candidate if expected == "KEEP" else base)
    assert git("symbolic-ref", "HEAD", cwd=folder).strip() == "refs/heads/exp/train"
    assert git("diff", "--cached", "--name-only", cwd=folder) == "", "something is staged"
    _check_views(folder)
    return bool(new)


def _check_clean(folder: Path) -> None:
    rubbish = [p for p in folder.rglob("*") if p.name.endswith((".lock", ".part")) and not p.name.startswith("gitexp")]
    assert not rubbish, rubbish
    assert git("for-each-ref", "refs/gitexp", cwd=folder) == ""
    left = {p.name for p in (folder / ".git/gitexp/train").iterdir()}
    assert left <= {
        "lock",
        "EXPERIMENT.md",
        "run",
        "logs",
        "evidence.json",
        "cache",
        "results.json",
        "kept",
        "links.json",
        "rewritten-by-runs.json",
    }, left
    assert (folder / "scratch.txt").read_text() == (folder / "data.bin").read_text() == STAYS
    assert (folder / "other.txt").read_text() == STAYS
    assert git("show", "stash@{0}:other.txt", cwd=folder) == "stashed\n"


def _check_views(folder: Path) -> None:
    """The views on disk are what the history gives; in EXPERIMENT.md nothing was taken for a person's note."""
    views = folder.parent / "views"
    assert gitexp(folder, "render", "-o", str(views)).code == 0
    for name in ("results.tsv", "EXPERIMENT.md"):
        assert (folder / name).read_text() == (views / name).read_text(), name
    trailers = git("log", "--format=%(trailers:key=Exp-Note)", "exp/train", cwd=folder)
    assert not trailers.strip()
