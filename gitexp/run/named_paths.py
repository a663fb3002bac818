"""Paths that a project's texts name and that a clean tree does not hold: those that lead out of the repository.

``../data`` is looked for beside a clean tree, where a link can stand; an absolute path leads where it always led.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gitexp.git.objects import SYMLINK, entries
from gitexp.git.repository import Repository
from gitexp.text import visible

_UPWARD = re.compile(rb"(?<![\w./-])(?:\.\./)+[\w.-]+")


def links_beside(repo: Repository, directory: str, texts: Mapping[str, bytes]) -> list[str]:
    """Each ``../NAME`` that exists and that a text, or a tracked link, names. ``texts`` are contents by path."""
    named = (path.split("/") for path in [*_upward(directory, texts), *_linked(repo)])
    beside = dict.fromkeys(f"../{parts[1]}" for parts in named if parts[0] == ".." != parts[1])
    return [path for path in beside if path != f"../{repo.top.name}" and (repo.top / path).exists()]


def elsewhere(repo: Repository, directory: str, texts: Mapping[str, bytes]) -> list[str]:
    """A sentence for each text that names a path that is read elsewhere than in the clean tree."""
    said = []
    for file, text in texts.items():
        if path := next((path for path in _own_names(repo.top) if _holds(text, path)), ""):
            said.append(f"{visible(file)} names {visible(path)}: it is read there, not in the clean tree.")
        far = [path for path in _upward(directory, {file: text}) if path.startswith("../../")]
        if path := next((path for path in far if (repo.top / path).exists()), ""):
            said.append(f"{visible(file)} names {visible(path)}: the clean tree has no such path.")
    return said


def _upward(directory: str, texts: Mapping[str, bytes]) -> Iterator[str]:
    """Paths as seen from the top, of all that begin with ``../``: a file is named from where a command runs, or from
    the file that names it."""
    for file, text in texts.items():
        for name in dict.fromkeys(_UPWARD.findall(text)):
            for base in dict.fromkeys((directory, os.path.dirname(file))):
                path = os.path.normpath(os.path.join(base, os.fsdecode(name)))
                if path.startswith("../"):
                    yield path


def _linked(repo: Repository) -> Iterator[str]:
    """Where tracked links lead that leave the repository, as seen from the top."""
    for path, entry in entries(repo, "HEAD").items():
        if entry.mode == SYMLINK and os.path.islink(repo.top / path):
            target = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(repo.top / path)))
            if target.startswith("../"):
                yield target


def _own_names(top: Path) -> Iterable[str]:
    below_home = os.path.relpath(top, Path.home())
    return [str(top)] if below_home.startswith("..") else [str(top), f"~/{below_home}"]


def _holds(text: bytes, path: str) -> bool:
    return re.search(re.escape(os.fsencode(path)) + rb"(?![\w.-])", text) is not None
