"""The work tree: the candidate's edits in it, what may not be edited, and how a file of a tree is written."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import part_file, umask, write_file
from gitexp.git.fsmonitor import changes
from gitexp.git.objects import EXECUTABLE, SYMLINK, Entry, entries, file_entry
from gitexp.git.repository import Repository
from gitexp.git.status import Change, operation, untracked_files
from gitexp.model import VIEWS, Contract, Frozen
from gitexp.paths import inside
from gitexp.shell import git_command, pathspec, pathspecs
from gitexp.text import visible, visible_list


def check_ready(repo: Repository) -> None:
    """Raise where no step can be taken: amid a merge, without a commit, or where git knows no author."""
    if under_way := operation(repo):
        finish = "git bisect reset" if under_way == "bisect" else f"git {under_way} --abort"
        raise GitexpError(f"A {under_way} is in progress: finish it, or give it up.", finish)
    if repo.resolve("HEAD") is None:
        raise GitexpError("This repository has no commits yet.", "git commit --allow-empty -m start")
    for who in ("author", "committer"):
        repo.config.identity(who)


def edits(repo: Repository, editable: Iterable[str], skipped: Collection[str] = ()) -> dict[str, Entry | None]:
    """The candidate's changes against HEAD, by path, stored as blobs; ``None`` for a file that is gone.

    New files that are ``skipped`` are none of them.

    Raises when something outside ``editable`` differs from HEAD, or anything is staged: then the files that would run
    are not those that would be committed.
    """
    editable = tuple(editable)
    folders = _folders(repo, editable)
    _check_watched(repo, folders)
    # Editable files are compared by content, whatever git's index says of them; in folders git finds the changes.
    files = [path for path in editable if path not in folders]
    changed = changes(repo, compared=files)
    _check_outside(repo, changed, editable)
    added = [path for path in untracked_below(repo, editable) if path not in skipped]
    paths = dict.fromkeys([*files, *(change.path for change in changed), *added])
    old = entries(repo, "HEAD", paths) if paths else {}
    new = {path: file_entry(repo, path, old.get(path)) for path in paths}
    return {path: entry for path, entry in new.items() if entry != old.get(path)}


def edited_paths(repo: Repository, editable: Iterable[str]) -> list[str]:
    """The paths that differ from HEAD: tracked files anywhere, and new ones in the editable folders."""
    editable = tuple(editable)
    folders = _folders(repo, editable)
    files = [path for path in editable if path not in folders]
    # As in :func:`edits`, editable files are compared by content: git need not be asked after each of their edits.
    old = entries(repo, "HEAD", files) if files else {}
    edited = [path for path in files if file_entry(repo, path, old.get(path)) != old.get(path)]
    others = [change.path for change in changes(repo, compared=files) if change.path not in files or change.staged]
    return list(dict.fromkeys([*edited, *others, *untracked_below(repo, editable)]))


def untracked_below(repo: Repository, editable: Iterable[str]) -> list[str]:
    """New files in the editable folders, without those that .gitignore names and the views."""
    folders = _folders(repo, editable)
    files = untracked_files(repo, folders) if folders else []
    return [path for path in files if os.path.basename(path) not in VIEWS]


def _folders(repo: Repository, editable: Iterable[str]) -> list[str]:
    return [path for path in editable if (repo.top / path).is_dir()]


def _check_watched(repo: Repository, folders: list[str]) -> None:
    """Raise for a file that git is told not to look at: its edits would run and not be committed."""
    if not folders:
        return
    for line in os.fsdecode(repo.run("ls-files", "-v", "-z", "--", *folders)).split("\0"):
        tag, _, path = line.partition(" ")
        if tag.islower() or (tag == "S" and (repo.top / path).exists()):
            flag = "assume-unchanged" if tag.islower() else "skip-worktree"
            raise GitexpError(
                f"git is told to ignore changes of {visible(path)} ({flag}).",
                git_command("-C", repo.top, "update-index", f"--no-{flag}", "--", path),
            )


def _check_outside(repo: Repository, changed: list[Change], editable: tuple[str, ...]) -> None:
    for change in changed:
        if change.unmerged:
            raise GitexpError(f"{visible(change.path)} has conflicts.", "git status")
        if not covers(editable, change.path):
            raise GitexpError(
                f"{visible(change.path)} differs from HEAD, and only {visible_list(editable)} may change in this "
                "experiment.",
                f"git diff HEAD -- {pathspec(change.path)}   # then commit, stash or restore it",
            )
        if is_repository(repo.top / change.path):
            raise GitexpError(f"{visible(change.path)} is a submodule: gitexp commits files.", "git submodule update")
    if staged := [change.path for change in changed if change.staged]:
        raise GitexpError(
            f"The index has staged changes ({visible_list(staged)}); gitexp takes edits from the work tree.",
            f"git restore --staged {pathspecs(staged)}",
        )


def is_repository(folder: Path) -> bool:
    """Whether a folder is the top of a repository of its own: a submodule, or somebody's clone."""
    return os.path.lexists(folder / ".git")


def covers(paths: Iterable[str], path: str) -> bool:
    """Whether ``path`` is one of ``paths``, or below one of them; ``.`` is the whole work tree."""
    return any(p in (path, ".") or path.startswith(p + "/") for p in paths)


def freeze(repo: Repository, paths: Iterable[str]) -> tuple[Frozen, ...]:
    """The files of the work tree at ``paths``, with their blobs. Raises for one that does not exist."""
    frozen: list[Frozen] = []
    for path in paths:
        entry = file_entry(repo, path)
        if entry is None:
            raise GitexpError(f"{visible(path)} cannot be frozen: it does not exist.", "gitexp init -h")
        frozen.append(Frozen(path, entry.oid))
    return tuple(frozen)


def changed_frozen(repo: Repository, contract: Contract) -> str | None:
    """The path of the first frozen file that differs from the contract's; ``None`` when all are the same."""
    for frozen in contract.freeze:
        entry = file_entry(repo, frozen.path)
        if entry is None or entry.oid != frozen.blob:
            return frozen.path
    return None


def check_frozen(repo: Repository, contract: Contract) -> None:
    """Raise when a frozen file differs from the contract's."""
    if path := changed_frozen(repo, contract):
        raise GitexpError(
            f"{visible(path)} is frozen in this experiment, and differs from what the baseline was measured with.",
            f"git restore {pathspec(path)}   # or start a new experiment: gitexp init --name NAME",
        )


def write_entry(repo: Repository, path: str, entry: Entry | None, at: Path | None = None) -> None:
    """Write ``entry`` to the work tree at ``path``, through git's smudge filters; ``None`` removes the file.

    With ``at`` it is written there instead, as it is to stand at ``path``.
    Raises :class:`gitexp.paths.UnsafePathError` for a path that may lead out of the work tree.
    """
    file = inside(repo.top, path)
    if entry is None:
        file.unlink(missing_ok=True)
        remove_empty(file.parent, repo.top)
    elif entry.mode == SYMLINK:
        (at or file).parent.mkdir(parents=True, exist_ok=True)
        part = part_file(at or file)
        os.symlink(os.fsdecode(repo.run("cat-file", "blob", entry.oid)), part)
        os.replace(part, at or file)
    else:
        mode = os.stat(file).st_mode & 0o666 if file.is_file() else 0o666 & ~umask()
        write_file(at or file, repo.filters.content(path, entry.oid))
        (at or file).chmod(mode | (mode & 0o444) >> 2 if entry.mode == EXECUTABLE else mode)


def remove_empty(folder: Path, stop: Path) -> None:
    """Remove a folder, and those above it up to ``stop``, as far as they are empty."""
    while folder != stop and folder.is_dir() and not any(folder.iterdir()):
        with suppress(OSError):  # somebody saved a file there
            folder.rmdir()
        folder = folder.parent
