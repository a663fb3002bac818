"""What ``git status`` tells: files that differ from HEAD, files that git does not track, a merge in progress."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from gitexp.files import find_file, open_file
from gitexp.git.repository import Repository

_OPERATIONS = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply/applying": "am",
    "rebase-apply": "rebase",
    "BISECT_LOG": "bisect",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A tracked path that differs from HEAD."""

    path: str
    staged: bool
    unmerged: bool = False


def tracked_changes(repo: Repository) -> list[Change]:
    """Every tracked path that differs from HEAD, in the index or in the work tree. git looks at every tracked file."""
    out = repo.run(
        "status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=untracked"
    )
    return [_change(record) for record in os.fsdecode(out).split("\0") if record[:2] in ("1 ", "2 ", "u ")]


def _change(record: str) -> Change:
    """A line of ``git status --porcelain=v2``; its fields are in git-status(1)."""
    if record.startswith("u "):
        return Change(record.split(" ", 10)[10], staged=True, unmerged=True)
    fields = record.split(" ", 8)
    return Change(fields[8], staged=fields[1][0] != ".")


def untracked_files(repo: Repository, paths: Iterable[str]) -> list[str]:
    """Untracked files at or below ``paths`` that .gitignore does not name."""
    out = os.fsdecode(repo.run("ls-files", "-z", "--others", "--exclude-standard", "--", *paths))
    return [path for path in out.split("\0") if path and not path.endswith("/")]


def ignored_paths(repo: Repository) -> list[str]:
    """What .gitignore and its like name; a folder that is ignored as a whole stands for what is in it."""
    asked = ("--others", "--ignored", "--exclude-standard", "--directory")
    return [path.rstrip("/") for path in os.fsdecode(repo.run("ls-files", "-z", *asked)).split("\0") if path]


def exclude(repo: Repository, paths: Iterable[str], comment: str) -> None:
    """Have git ignore ``paths``, relative to the top, in this clone alone: no tracked file changes."""
    file = repo.common_dir / "info" / "exclude"
    file.parent.mkdir(exist_ok=True)
    old = find_file(file, follow=True) or b""
    missing = [f"/{path}" for path in paths if f"/{path}".encode() not in old.splitlines()]
    if missing:
        end = b"" if old.endswith(b"\n") or not old else b"\n"
        with open_file(file, "ab", follow=True) as out:
            out.write(end + "".join(f"{line}\n" for line in (f"# {comment}", *missing)).encode())


def operation(repo: Repository) -> str | None:
    """The merge, rebase, cherry-pick, … that is in progress, by name."""
    return next((name for file, name in _OPERATIONS.items() if (repo.git_dir / file).exists()), None)
