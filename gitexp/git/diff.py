"""Diffs: the patch ids by which git tells whether two commits make the same edit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from gitexp.git.driver import PLAIN_DIFF, GitCommandError, ending, start
from gitexp.git.repository import Repository


@contextmanager
def patch_id(repo: Repository, old: str, new: str, paths: Iterable[str]) -> Iterator[Callable[[], str]]:
    """The patch id of an edit of ``paths``, from one tree to another: a function that waits for it.

    git computes it while the caller does something else. It is the same for the same edit, wherever in the files the
    edit is made and on whatever commit; empty for an edit of nothing.
    """
    process = start(repo.driver, "patch-id", "--stable", stdin=subprocess.PIPE)
    assert process.stdin
    with ending(process):
        process.stdin.write(repo.filters.diff(old, new, paths))
        process.stdin.close()
        yield lambda: _printed_id(process)


def _printed_id(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout
    out = os.fsdecode(process.stdout.read())
    if process.wait():
        raise GitCommandError(("patch-id",), process.returncode, b"")
    return out.rstrip("\n").partition(" ")[0]


def patch_ids(repo: Repository, commits: bytes, context: int = 3) -> dict[str, str]:
    """By commit id, the patch id of its change; ``commits`` are lines for ``git diff-tree --stdin``.

    ``context`` is the number of unchanged lines around an edit that must be the same too.
    """
    form = (*PLAIN_DIFF, "-p", f"-U{context}", "--full-index", "--binary")
    diff = repo.run("diff-tree", "--stdin", "-r", "--root", *form, stdin=commits)
    lines = repo.line("patch-id", "--stable", stdin=diff).splitlines()
    return {oid: patch for patch, _, oid in (line.partition(" ") for line in lines)}
