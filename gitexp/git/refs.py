"""Refs: what they point to, which branch is checked out, and the transactions that move them.

gitexp's own refs are below ``refs/gitexp``, which no plain clone or fetch brings along.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from gitexp.errors import GitexpError
from gitexp.files import find_file
from gitexp.git.commits import restore_unheld
from gitexp.git.driver import GitCommandError, read_line
from gitexp.git.repository import Repository
from gitexp.shell import command, git_command
from gitexp.text import from_bytes

SAVED = "refs/gitexp/saved"  # trees of edits that the work tree does not hold any more
PENDING = "refs/gitexp/pending"  # trees of the candidates that are being measured
_REFTABLE = "refs/heads/.invalid"  # what HEAD's file names where git keeps its refs in another form
_NO_TRANSACTIONS = "unknown command: start"  # what a git before 2.27 says


def saved(name: str) -> str:
    """The ref that keeps an edit which would be lost."""
    return f"{SAVED}/{name}"


def pending(branch: str) -> str:
    """The ref that keeps the tree under test on ``branch``."""
    return f"{PENDING}/{branch}"


def read(repo: Repository, name: str) -> str | None:
    """The object id a ref stands for, whatever kind of object it is, and whether that is here or not."""
    if target := repo.object(name):
        return target.oid
    return repo.lookup("rev-parse", "--verify", "--quiet", name) if (repo.common_dir / name).is_file() else None


def matching(repo: Repository, *patterns: str) -> dict[str, str]:
    """The refs below or like ``patterns`` (as git for-each-ref takes them): by full name, the object id."""
    lines = repo.line("for-each-ref", "--format=%(refname) %(objectname)", *patterns).splitlines()
    return {name: oid for name, _, oid in (line.partition(" ") for line in lines)}


def current_branch(repo: Repository) -> str | None:
    """The checked-out branch, without ``refs/heads/``; ``None`` when HEAD is detached."""
    # The file saves a process, and names also a branch that git cannot read; git knows where there is more to it.
    head: str | None = _symbolic_target(repo.git_dir / "HEAD")
    if not head or head == _REFTABLE or _symbolic_target(repo.common_dir / head):
        head = repo.lookup("symbolic-ref", "--quiet", "HEAD")  # --short is ambiguous beside a tag of that name
    return head.removeprefix("refs/heads/") if head else None


def _symbolic_target(file: Path) -> str:
    """The ref that a symbolic ref's file names; empty where it holds an object id, or does not exist."""
    text = os.fsdecode(find_file(file, follow=True) or b"")
    return text.removeprefix("ref:").strip() if text.startswith("ref:") else ""


# -- refs that a power cut emptied -----------------------------------------------------------------------------------


def is_unreadable(repo: Repository, name: str) -> bool:
    """Whether a ref's file exists and git cannot read it, as after a power cut."""
    return (repo.common_dir / name).is_file() and read(repo, name) is None


def check_readable(repo: Repository, branch: str) -> None:
    """Raise for a branch that is unreadable; the hint makes it anew from git's reflog."""
    ref = f"refs/heads/{branch}"
    if not is_unreadable(repo, ref):
        return
    file, log = repo.common_dir / ref, repo.common_dir / "logs" / ref
    entries = from_bytes(find_file(log) or b"").splitlines()
    tip = entries[-1].split(" ")[1][:10] if entries else "COMMIT"
    raise GitexpError(
        f"The branch {branch} is unreadable: {file} holds no commit id.",
        f"{command('rm', file)} && {git_command('branch', branch, tip)}",
    )


def remove_unreadable(repo: Repository, name: str) -> bool:
    """Remove a ref if it is unreadable, and say whether it was: git itself does not delete such a ref."""
    if not is_unreadable(repo, name):
        return False
    (repo.common_dir / name).unlink()
    return True


# -- moving refs -----------------------------------------------------------------------------------------------------


def update(repo: Repository, reason: str, *commands: str) -> None:
    """Move refs in one transaction; ``reason`` is for git's reflog.

    ``commands`` are those of ``git update-ref --stdin``, old values included. A git process is kept open for each
    reason: let there be few. Raises when a ref is not what a command says; then no ref was moved.
    """
    args, lines = ("update-ref", "-m", reason, "--stdin"), "".join(f"{command}\n" for command in commands)
    if _NO_TRANSACTIONS in repo.remembered:  # then the process itself is the transaction
        repo.run(*args, stdin=os.fsencode(lines))
        restore_unheld(repo)
        return
    try:
        repo.ask(*args).ask(os.fsencode(f"start\n{lines}commit\n"), _read_until_committed)
        restore_unheld(repo)
    except GitCommandError as error:
        if _NO_TRANSACTIONS not in error.sentence:
            raise
        repo.remembered[_NO_TRANSACTIONS] = True
        update(repo, reason, *commands)


def _read_until_committed(answer: IO[bytes]) -> None:
    while read_line(answer) != "commit: ok":
        pass
