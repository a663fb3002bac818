"""A scratch tree: a small repository of its own that shares the objects of another, and nothing else.

Commits are made and measured there while nobody's checkout is touched. It is not a linked work tree: those share refs
with the person's repository, and one whose making was killed breaks ``git log --all``, ``git gc`` and ``git fsck``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitexp.files import find_file, holder_of, lock, read_file, remove_folder, write_file
from gitexp.git.driver import open_git, run
from gitexp.git.repository import Repository
from gitexp.signals import signals_wait

PREFIX = "gitexp-scratch-"  # of the folder's name
LOCK, NOTE = "scratch", "scratch.txt"  # the note holds the folder's path as long as the folder may be there
# What a person's configuration says of their checkout, and not of the repository.
_OWN = "[core]\n\tsparseCheckout = false\n\tfsmonitor = false\n\tuntrackedCache = false\n"


@contextmanager
def scratch_tree(repo: Repository, commit: str) -> Iterator[Repository]:
    """A work tree with ``commit`` checked out and HEAD detached; it is removed however the block is left.

    Commits that are made in it are objects of ``repo``. Raises GitexpError where another gitexp has one.
    """
    with lock(repo.shared_lock(LOCK), "The scratch tree", "pick"):
        _remove_noted(repo)
        folder = Path(os.path.realpath(tempfile.gettempdir())) / f"{PREFIX}{os.urandom(8).hex()}"
        write_file(_note(repo), os.fsencode(folder))
        try:
            folder.mkdir(mode=0o700)
            yield _make(repo, folder, commit)
        finally:
            with signals_wait():
                _remove_noted(repo)


def clear_scratch(repo: Repository) -> None:
    """Remove the scratch tree that a killed gitexp left, if there is one."""
    if _note(repo).exists() and not holder_of(repo.shared_lock(LOCK)):
        with lock(repo.shared_lock(LOCK), "The scratch tree", "clearing up"):
            _remove_noted(repo)


def _note(repo: Repository) -> Path:
    return repo.private_dir / NOTE


def _remove_noted(repo: Repository) -> None:
    folder = Path(os.fsdecode(find_file(_note(repo)) or b""))
    if folder.name.startswith(PREFIX):  # a power cut may have emptied the note
        remove_folder(folder)
        if folder.exists():  # something goes on writing there: the next gitexp removes it
            return
    _note(repo).unlink(missing_ok=True)


def _make(repo: Repository, folder: Path, commit: str) -> Repository:
    git_dir = folder / ".git"
    driver = open_git(folder)
    # By name, as the caller's own GIT_DIR may name another work tree.
    driver.update_environment(
        GIT_DIR=str(git_dir), GIT_WORK_TREE=str(folder), GIT_OBJECT_DIRECTORY=str(repo.common_dir / "objects")
    )
    form = ("--object-format=sha256",) if repo.config.get("extensions.objectFormat") == "sha256" else ()
    run(driver, "init", "--quiet", "--template=", *form)
    path = str(repo.common_dir / "config").replace("\\", "\\\\").replace('"', '\\"')
    own = read_file(git_dir / "config")
    write_file(git_dir / "config", f'[include]\n\tpath = "{path}"\n'.encode() + own + _OWN.encode())
    for name in ("shallow", "info/attributes"):
        if (repo.common_dir / name).exists():
            (git_dir / name).parent.mkdir(exist_ok=True)
            os.symlink(repo.common_dir / name, git_dir / name)
    run(driver, "update-ref", "--no-deref", "HEAD", repo.line("rev-parse", "--verify", f"{commit}^{{commit}}"))
    run(driver, "read-tree", "-m", "-u", "HEAD")
    return Repository(driver, folder, git_dir, repo.common_dir)
