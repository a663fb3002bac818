"""The work tree: which edits are the candidate's, and how they are put back without touching anything else."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import part_of, write_file
from gitexp.git.fsmonitor import changes
from gitexp.git.objects import EXECUTABLE, SYMLINK, Entry, entries, file_entry
from gitexp.git.repository import Repository
from gitexp.git.status import Change, operation, untracked_files
from gitexp.model import NOTEBOOK, RESULTS, Contract, Frozen

VIEWS = (RESULTS, NOTEBOOK)


def check_ready(repo: Repository) -> None:
    """Refuse what no experiment can start from."""
    if under_way := operation(repo):
        finish = "git bisect reset" if under_way == "bisect" else f"git {under_way} --abort"
        raise GitexpError(f"A {under_way} is in progress: finish it, or give it up.", finish)
    if repo.resolve("HEAD") is None:
        raise GitexpError("This repository has no commits yet.", "git commit --allow-empty -m start")
    for who in ("author", "committer"):
        repo.config.identity(who)


def edits(repo: Repository, editable: Iterable[str]) -> dict[str, Entry | None]:
    """The candidate's changes against HEAD, by path, stored as blobs.

    Raises when something outside ``editable`` differs from HEAD, or anything is staged: then what would run is not what
    would be committed.
    """
    editable = tuple(editable)
    folders = _folders(repo, editable)
    _check_watched(repo, folders)
    # Editable files are compared by content, whatever git's index believes of them; in folders git finds the changes.
    files = [path for path in editable if path not in folders]
    changed = changes(repo, but=files)
    _check_outside(repo, changed, editable)
    paths = dict.fromkeys([*files, *(change.path for change in changed), *untracked_below(repo, editable)])
    old = entries(repo, "HEAD", paths) if paths else {}
    new = {path: file_entry(repo, path, old.get(path)) for path in paths}
    return {path: entry for path, entry in new.items() if entry != old.get(path)}


def edited(repo: Repository, editable: Iterable[str]) -> list[str]:
    """The paths that do not hold what HEAD does: tracked ones anywhere, and new ones in the editable folders."""
    return list(dict.fromkeys([*(change.path for change in changes(repo)), *untracked_below(repo, editable)]))


def untracked_below(repo: Repository, editable: Iterable[str]) -> list[str]:
    """New files in the editable folders, less those that .gitignore names and the views."""
    folders = _folders(repo, editable)
    found = untracked_files(repo, folders) if folders else []
    return [path for path in found if path not in VIEWS]


def _folders(repo: Repository, editable: Iterable[str]) -> list[str]:
    return [path for path in editable if (repo.top / path).is_dir()]


def _check_watched(repo: Repository, folders: list[str]) -> None:
    """git can be told not to look at a file; then its edits would run and not be committed."""
    if not folders:
        return
    for line in os.fsdecode(repo.run("ls-files", "-v", "-z", "--", *folders)).split("\0"):
        tag, _, path = line.partition(" ")
        if tag.islower() or (tag == "S" and (repo.top / path).exists()):
            flag = "assume-unchanged" if tag.islower() else "skip-worktree"
            raise GitexpError(
                f"git is told to ignore changes of {path} ({flag}).",
                f"git -C {shlex.quote(str(repo.top))} update-index --no-{flag} {shlex.quote(path)}",
            )


def _check_outside(repo: Repository, changed: list[Change], editable: tuple[str, ...]) -> None:
    for change in changed:
        if change.unmerged:
            raise GitexpError(f"{change.path} has conflicts.", "git status")
        if not covers(editable, change.path):
            raise GitexpError(
                f"{change.path} differs from HEAD, and only {', '.join(editable)} may change in this experiment.",
                f"git diff HEAD -- {pathspec(change.path)}   # then commit, stash or restore it",
            )
        if is_repository(repo.top / change.path):
            raise GitexpError(f"{change.path} is a submodule: gitexp commits files.", "git submodule update")
    if staged := [change.path for change in changed if change.staged]:
        raise GitexpError(
            f"The index has staged changes ({', '.join(staged)}); gitexp takes edits from the work tree.",
            f"git restore --staged {' '.join(map(pathspec, staged))}",
        )


def is_repository(folder: Path) -> bool:
    """Whether a folder is the top of a repository of its own: a submodule, or somebody's clone."""
    return os.path.lexists(folder / ".git")


def covers(paths: Iterable[str], path: str) -> bool:
    return any(p in (path, ".") or path.startswith(p + "/") for p in paths)


def pathspec(path: str) -> str:
    """``path`` as one can paste it after a git command, from any folder of the work tree."""
    return shlex.quote(f":/{path}")


def freeze(repo: Repository, paths: Iterable[str]) -> tuple[Frozen, ...]:
    """The frozen files as they are now. Raises for one that does not exist."""
    frozen: list[Frozen] = []
    for path in paths:
        entry = file_entry(repo, path)
        if entry is None:
            raise GitexpError(f"{path} cannot be frozen: it does not exist.", "gitexp init -h")
        frozen.append(Frozen(path, entry.oid))
    return tuple(frozen)


def changed_frozen(repo: Repository, contract: Contract) -> str | None:
    """The first frozen file that is not what the baseline was measured with."""
    for frozen in contract.freeze:
        entry = file_entry(repo, frozen.path)
        if entry is None or entry.oid != frozen.blob:
            return frozen.path
    return None


def check_frozen(repo: Repository, contract: Contract) -> None:
    if path := changed_frozen(repo, contract):
        raise GitexpError(
            f"{path} is frozen in this experiment, and differs from what the baseline was measured with.",
            f"git restore {pathspec(path)}   # or start a new experiment: gitexp init --name NAME",
        )


def swap(repo: Repository, held: Mapping[str, Entry | None], wanted: Mapping[str, Entry | None]) -> tuple[str, ...]:
    """Make each path that holds what ``held`` says hold what ``wanted`` says. The index is not touched.

    Returns the paths left alone because somebody changed them meanwhile.
    """
    left: list[str] = []
    there = {path: file_entry(repo, path, held[path]) for path in wanted}  # by the filters as they were
    for path, entry in sorted(wanted.items(), key=_first):
        now = there[path]
        if now == entry:
            continue
        if now == held[path] and _can_write(repo, path, entry):
            write_entry(repo, path, entry)
        else:
            left.append(path)
    return tuple(left)


def _first(change: tuple[str, Entry | None]) -> tuple[bool, bool]:
    """First make room; then put the attributes back by which the other files are written."""
    path, entry = change
    return entry is not None, os.path.basename(path) != ".gitattributes"


def _can_write(repo: Repository, path: str, entry: Entry | None) -> bool:
    """Not where a folder came to stand, or a file where a folder must be: what is in it is somebody's."""
    file = repo.top / path
    if file.is_dir() and not file.is_symlink():
        return False
    return entry is None or all(not os.path.lexists(p) or p.is_dir() for p in file.parents)


def write_entry(repo: Repository, path: str, entry: Entry | None) -> None:
    """Make the work tree hold ``entry`` at ``path``, through git's smudge filters; remove it for ``None``."""
    file = repo.top / path
    if entry is None:
        file.unlink(missing_ok=True)
        _remove_empty(file.parent, repo.top)
    elif entry.mode == SYMLINK:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(file)
        os.symlink(os.fsdecode(repo.run("cat-file", "blob", entry.oid)), part)
        os.replace(part, file)
    else:
        mode = os.stat(file).st_mode & 0o666 if file.is_file() else 0o666 & ~_umask()
        write_file(file, repo.filters.content(path, entry.oid))
        file.chmod(mode | (mode & 0o444) >> 2 if entry.mode == EXECUTABLE else mode)


def _remove_empty(folder: Path, stop: Path) -> None:
    while folder != stop and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
