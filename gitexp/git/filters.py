"""Files as git keeps them: through its clean filters into blobs, and through its smudge filters back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from git import Git

from gitexp.files import stat_signature
from gitexp.git.driver import PLAIN_DIFF, Batch, PackFolder, read_line, run

_END = b"that was the diff\n"  # said back by git; in a diff a line of words starts with a sign
REMEMBERED = 16  # files that are written again and again: those of the incumbent
LARGE = 1 << 20  # bytes; a file that is larger is read again each time


class Filters:
    """One process hashes all files, and one compares them. They and what is remembered are given up when an attributes
    file changes, or git's configuration."""

    def __init__(self, driver: Git, packs: PackFolder, top: Path, common_dir: Path) -> None:
        self._driver, self._top = driver, top
        self._everywhere = [str(common_dir / file) for file in ("info/attributes", "config", "config.worktree")]
        self._hashing = Batch(driver, packs, "hash-object", "-w", "--stdin-paths")
        form = (*PLAIN_DIFF, "-p", "--full-index", "--binary")
        self._diffing = Batch(driver, packs, "diff-tree", "--stdin", *form)
        self._attributes: dict[str, object] = {}  # by attributes file, its signature when it was last looked at
        self._smudged: dict[tuple[str, str], bytes] = {}

    def store(self, path: str) -> str:
        """The blob id of what the work tree holds at ``path``; the blob is written."""
        self._look_at_attributes(path)
        if "\n" in path or path.startswith('"'):  # on standard input git would read these as something else
            return os.fsdecode(run(self._driver, "hash-object", "-w", "--", path)).rstrip("\n")
        return self._hashing.ask(os.fsencode(path + "\n"), read_line)

    def content(self, path: str, blob: str) -> bytes:
        """What the work tree is to hold at ``path`` for this blob."""
        self._look_at_attributes(path)
        known = self._smudged.get((path, blob))
        if known is not None:
            return known
        data = run(self._driver, "cat-file", "--filters", f"--path={path}", blob)
        if len(data) < LARGE:
            if len(self._smudged) >= REMEMBERED:
                self._smudged.pop(next(iter(self._smudged)))
            self._smudged[path, blob] = data
        return data

    def diff(self, old: str, new: str, paths: Iterable[str]) -> bytes:
        """The diff between two trees, which differ at ``paths``."""
        for path in paths:
            self._look_at_attributes(path)
        return self._diffing.ask(f"{old} {new}\n".encode() + _END, _diff)

    def _look_at_attributes(self, path: str) -> None:
        """Which filters a path has is read from files; git reads them once in a process."""
        files = [*self._everywhere, *(str(self._top / folder / ".gitattributes") for folder in Path(path).parents)]
        now = {file: stat_signature(file) for file in files}
        if any(file in self._attributes and self._attributes[file] != seen for file, seen in now.items()):
            self._hashing.close()
            self._diffing.close()
            self._smudged.clear()
        self._attributes.update(now)


def _diff(answer: IO[bytes]) -> bytes:
    lines = []
    while (said := answer.readline()) != _END:
        if not said:
            raise EOFError
        lines.append(said)
    return b"".join(lines[1:])  # the first names the trees
