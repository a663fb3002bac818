"""What lies in a folder, compared with a tree of git's: read from the disk, byte for byte."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from tests.helpers.repositories import git


def files_below(top: Path, but: tuple[str, ...] = (".git",)) -> dict[str, str]:
    """By path, mode and blob id of each file, the text of each link, and what else there is; folders that are empty."""
    found: dict[str, str] = {}
    for folder, below, names in os.walk(top):
        inside = os.path.relpath(folder, top)
        below[:] = [name for name in below if os.path.normpath(f"{inside}/{name}") not in but]
        linked = [name for name in below if os.path.islink(os.path.join(folder, name))]
        for name in [*names, *linked]:
            path = os.path.normpath(f"{inside}/{name}")
            if path not in but:
                found[path] = _described(top / path)
        if not os.listdir(folder) and inside != ".":
            found[inside] = "an empty folder"
    return found


def _described(file: Path) -> str:
    mode = os.lstat(file).st_mode
    if stat.S_ISLNK(mode):
        return f"120000 {_blob(os.fsencode(os.readlink(file)))}"
    if not stat.S_ISREG(mode):
        return f"neither a file nor a link: {stat.filemode(mode)}"
    return f"{'100755' if mode & 0o100 else '100644'} {_blob(file.read_bytes())}"


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def files_of(tree: str, cwd: Path) -> dict[str, str]:
    """The same of a tree, of ``git ls-tree -r``."""
    lines = filter(None, git("ls-tree", "-r", "-z", tree, cwd=cwd).split("\0"))
    facts = (line.partition("\t") for line in lines)
    return {path: f"{fact.split()[0]} {fact.split()[2]}" for fact, _, path in facts}
