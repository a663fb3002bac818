"""What a run leaves in and beside a clean tree: it is removed, whatever it is.

``git clean`` is not used: it passes by FIFOs and sockets, and stops at folders that cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from gitexp.files import remove, umask


def make_real(folder: Path) -> None:
    """See that a folder is there, and not a link that a run left in its place: it would be emptied where it leads."""
    for each in (folder.parent, folder):
        if each.is_symlink() or not each.is_dir():
            remove(each)
            each.mkdir(parents=True)


def remove_others(top: Path, folders: Collection[str], files: Collection[str], kept: Collection[str]) -> None:
    """Remove what is neither one of ``folders`` (the top is the empty one), nor one of ``files`` or links.

    Folders get the mode back that git gives them. ``.git`` and what is ``kept`` are not looked into.
    """
    mode = 0o777 & ~umask()
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        if os.lstat(top / folder).st_mode & 0o7777 != mode:
            os.chmod(top / folder, mode)
        with os.scandir(top / folder) as found:
            for each in list(found):
                path = f"{folder}/{each.name}" if folder else each.name
                if path == ".git" or path in kept:
                    continue
                is_folder = each.is_dir(follow_symlinks=False)
                if is_folder and path in folders:
                    waiting.append(path)
                elif is_folder or path not in files:
                    remove(top / path)


def remove_beside(top: Path, names: Collection[str]) -> None:
    """Remove what lies beside the tree ``top`` under any other name than ``names``."""
    with os.scandir(top.parent) as found:
        for each in list(found):
            if each.name != top.name and each.name not in names:
                remove(Path(each.path))


def prune(top: Path, removed: Iterable[str]) -> None:
    """Remove the folders that are empty after files were removed: git does not hold them."""
    for above in {(top / path).parent for path in removed}:
        folder = above
        while folder != top and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
