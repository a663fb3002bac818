"""What a command must leave as it was: every file of a work tree, and no rest of a temporary one."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.repositories import git


def work_files(folder: Path) -> dict[str, bytes]:
    """Every file of a work tree, the index among them: gitexp's own notes and git's objects and refs left out."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.is_file() and (not name.startswith(".git/") or name in (".git/index", ".git/HEAD")):
            found[name] = file.read_bytes()
    return found


def check_nothing_left(folder: Path, scratch_home: Path) -> None:
    assert list(scratch_home.iterdir()) == []
    assert git("worktree", "list", "--porcelain", cwd=folder).count("worktree ") == 1
    assert not (folder / ".git" / "worktrees").exists()
    assert not (folder / ".git" / "CHERRY_PICK_HEAD").exists()
    assert "cherry-pick" not in git("status", cwd=folder)
