"""Paths of a work tree: none of them leads out of it.

A branch from elsewhere is hostile text, and so are the paths in its contract: ``../precious``, ``.git/config``, or a
file below a folder that is a link to somewhere else.
"""

from __future__ import annotations

import os
from pathlib import Path

from gitexp.errors import GitexpError


class UnsafePathError(GitexpError):
    """A path that leads out of the work tree, or into git's own folder."""


def path_fault(path: str) -> str:
    """Why ``path``, relative to the top of a work tree, is refused; empty for one that stays inside.

    ``.`` alone is the whole work tree. ``.git`` is refused at any depth and in any case, as git itself refuses it.
    """
    if path == ".":
        return ""
    if path.startswith("/") or "\0" in path:
        return "it is absolute" if path.startswith("/") else "it holds a NUL byte"
    parts = path.split("/")
    if "" in parts:
        return "a part of it is empty"
    if "." in parts or ".." in parts:
        return "it has a part '..' or '.'"
    return "it leads into git's own folder" if ".git" in map(str.lower, parts) else ""


def link_place(top: Path, path: str) -> Path:
    """Where a contract's link ``path`` is: in the work tree at ``top``, or, for ``../NAME``, beside it.

    Raises :class:`UnsafePathError` for any other place, and for the work tree itself.
    """
    name = path.removeprefix("../")
    if name == path != ".":
        return inside(top, path)
    if "/" in name or name == "." or name.casefold() == top.name.casefold():
        raise UnsafePathError(
            f"The link {path!r} is refused: it may be '../NAME', beside the work tree.", "gitexp fsck"
        )
    return inside(top.parent, name)


def link_above(top: Path, path: str) -> str:
    """The first folder on the way to ``path`` that is a link; empty when none is."""
    folders = path.split("/")[:-1]
    on_the_way = ("/".join(folders[: depth + 1]) for depth in range(len(folders)))
    return next((folder for folder in on_the_way if os.path.islink(top / folder)), "")


def inside(top: Path, path: str) -> Path:
    """Where ``path`` is in the work tree at ``top``. Raises :class:`UnsafePathError` if that may be outside of it."""
    if fault := path_fault(path):
        raise UnsafePathError(f"The path {path!r} is refused: {fault}.", "gitexp fsck")
    if link := link_above(top, path):
        raise UnsafePathError(f"The path {path!r} is refused: {link} is a link, and may lead anywhere.", "gitexp fsck")
    return top / path
