"""Files as git keeps them: through its clean filters into blobs, and through its smudge filters back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import IO

from git import Git

from gitexp.files import stat_signature
from gitexp.git.driver import PLAIN_DIFF, Batch, PackFolder, read_line, run

_END = b"that was the diff\n"  # diff-tree repeats a line that names no trees; each line of a diff starts with a sign
REMEMBERED = 16  # files that are written again and again: those of the incumbent
LARGE = 1 << 20  # bytes; a larger file is not remembered


class Filters:
    """One git process that hashes files, one that writes them, and one that compares trees.

    They are restarted, and remembered files dropped, when an attributes file or git's configuration changes: a git
    process reads those once.
    """

    def __init__(self, driver: Git, packs: PackFolder, top: Path, common_dir: Path) -> None:
        self._driver, self._top = driver, top
        self._settings = [str(common_dir / file) for file in ("info/attributes", "config", "config.worktree")]
        self._smudging = Batch(driver, packs, "cat-file", "--batch", "--filters")
        self._hashing = Batch(driver, packs, "hash-object", "-w", "--stdin-paths")
        form = (*PLAIN_DIFF, "-p", "--full-index", "--binary")
        self._diffing = Batch(driver, packs, "diff-tree", "--stdin", *form)
        self._signatures: dict[str, object] = {}  # of the settings and attributes files, when last looked at
        self._smudged: dict[tuple[str, str], bytes] = {}  # by path and blob

    def store(self, path: str) -> str:
        """Write the file of the work tree at ``path`` as a blob; returns its id. Raises where git cannot read it."""
        self._drop_if_outdated(path)
        if "\n" in path or path.startswith('"'):  # on standard input git would read these as something else
            return os.fsdecode(run(self._driver, "hash-object", "-w", "--", path)).rstrip("\n")
        return self._hashing.ask(os.fsencode(path + "\n"), read_line)

    def content(self, path: str, blob: str) -> bytes:
        """The bytes that the work tree is to hold at ``path`` for this blob. Raises where the blob is missing."""
        self._drop_if_outdated(path)
        remembered = self._smudged.get((path, blob))
        if remembered is not None:
            return remembered
        data = self._smudge(path, blob)
        if len(data) < LARGE:
            if len(self._smudged) >= REMEMBERED:
                self._smudged.pop(next(iter(self._smudged)))
            self._smudged[path, blob] = data
        return data

    def _smudge(self, path: str, blob: str) -> bytes:
        """As git would check it out. What git prints has no size, so a line of our own is asked for behind it."""
        end = os.urandom(16).hex()
        data = None
        if "\n" not in path and not path.startswith(" "):
            question = os.fsencode(f"{blob} {path}\n{end} {path}\n")
            data = self._smudging.ask(question, partial(_read_content, end=f"{end} missing\n".encode()))
        return run(self._driver, "cat-file", "--filters", f"--path={path}", blob) if data is None else data

    def diff(self, old: str, new: str, paths: Iterable[str]) -> bytes:
        """The diff between two trees, as ``git diff-tree -p`` prints it; ``paths`` are those at which they differ."""
        for path in paths:
            self._drop_if_outdated(path)
        return self._diffing.ask(f"{old} {new}\n".encode() + _END, _read_diff)

    def _drop_if_outdated(self, path: str) -> None:
        """Forget what was read by other rules than those that hold for ``path`` now."""
        files = [*self._settings, *(str(self._top / folder / ".gitattributes") for folder in Path(path).parents)]
        now = {file: stat_signature(file) for file in files}
        known = self._signatures
        if any(file in known and known[file] != signature for file, signature in now.items()):
            self._hashing.close()
            self._smudging.close()
            self._diffing.close()
            self._smudged.clear()
        known.update(now)


def _read_content(answer: IO[bytes], end: bytes) -> bytes | None:
    """The content of a blob up to the line ``end``; ``None`` where git says that there is none."""
    head = read_line(answer)
    lines: list[bytes] = []
    while (line := answer.readline()) != end:
        if not line:
            raise EOFError
        lines.append(line)
    return None if head.endswith(" missing") else b"".join(lines)[:-1]  # git ends it with a line end of its own


def _read_diff(answer: IO[bytes]) -> bytes:
    lines = []
    while (line := answer.readline()) != _END:
        if not line:
            raise EOFError
        lines.append(line)
    return b"".join(lines[1:])  # the first names the trees
