"""The editable files that can hold constants: what is in them in a tree, and how a setting gets into the work tree."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from gitexp.files import write_file
from gitexp.git.repository import Repository
from gitexp.sweep.constants import LANGUAGES, rewritten

MOST = 1 << 18  # bytes of a file: a larger one is data, and holds no constants


def sources(repo: Repository, tree: str, editable: Iterable[str]) -> dict[str, bytes]:
    """By path, the contents that a tree has at and below ``editable``."""
    found: dict[str, str] = {}
    listing = os.fsdecode(repo.run("ls-tree", "-r", "-l", "-z", "--full-tree", tree, "--", *editable))
    for line in filter(None, listing.split("\0")):
        head, _, path = line.partition("\t")
        mode, _, oid, size = head.split()
        if mode.startswith("100") and PurePosixPath(path).suffix in LANGUAGES and int(size) <= MOST:
            found[path] = oid
    blobs = repo.blobs(set(found.values()))
    return {path: blobs[oid] for path, oid in found.items()}


def write(repo: Repository, paths: Iterable[str], setting: Mapping[str, str]) -> None:
    """Give the constants of ``paths`` their values in the work tree."""
    files = {path: (repo.top / path).read_bytes() for path in paths}
    for path, content in rewritten(files, setting).items():
        file = repo.top / path
        mode = file.stat().st_mode
        write_file(file, content)
        file.chmod(mode)
