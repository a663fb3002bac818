"""One experiment's private files: its locks, its logs, and the notes that a step leaves for whoever comes after it.

All of it lives in ``<git directory>/gitexp/<experiment>/``, shared by the work trees of a repository. What a note says
is up to the module that writes and reads it: the journal is :mod:`gitexp.iteration.journal`'s, for example.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from gitexp.errors import GitexpError
from gitexp.files import holder_of, lock, read_file, read_tail, remove_folder, write_file
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.model import BRANCH_PREFIX
from gitexp.text import from_bytes

Value = TypeVar("Value")
TAIL = 1 << 20  # bytes at the end of a log in which its last lines are looked for
VERSION = 1  # of the notes' format: an upgrade between a death and its recovery must be noticed


@dataclass(frozen=True, slots=True)
class ExperimentFiles:
    """One experiment's private files."""

    directory: Path
    branch: str

    @classmethod
    def of(cls, repo: Repository, name: str) -> ExperimentFiles:
        return cls(repo.private_dir / quote(name, safe=""), BRANCH_PREFIX + name)

    @property
    def name(self) -> str:
        return self.branch.removeprefix(BRANCH_PREFIX)

    @property
    def ref(self) -> str:
        return refs.pending(self.branch)

    @property
    def run_dir(self) -> Path:
        return self.directory / "run"

    @property
    def rendered(self) -> Path:
        """EXPERIMENT.md as it was last computed: what people changed since is what differs from this."""
        return self.directory / "EXPERIMENT.md"

    @property
    def kept(self) -> Path:
        """Files that an undo took out of the work tree, until the next step: :mod:`gitexp.git.kept_files`."""
        return self.directory / "kept"

    @property
    def loop_lock(self) -> Path:
        """Held by a loop as long as it goes on, between its steps too."""
        return self.directory / "loop.lock"

    def log(self, label: str) -> Path:
        """Where a run's output is: :meth:`gitexp.model.Candidate.label` names the run."""
        return self._of_run(f"{label}.log")

    def curve_file(self, label: str) -> Path:
        """A run's loss over time, for :func:`gitexp.run.curve.read`."""
        return self._of_run(f"{label}.curve.jsonl")

    def _of_run(self, name: str) -> Path:
        """A file of a run. It may lie under another experiment's name: the branch was renamed since."""
        file = self.directory / "logs" / name
        if file.exists() or "-" not in name:
            return file
        return next((one for one in all_logs(self.directory.parent) if one.name == name), file)

    def log_tail(self, label: str, lines: int) -> list[str]:
        """The last ``lines`` lines that a run printed; empty where its log is not on this machine."""
        try:
            text = from_bytes(read_tail(self.log(label), TAIL))
        except OSError:
            text = ""
        return text.replace("\r", "\n").rstrip().split("\n")[-lines:] if text else []

    @contextmanager
    def locked(self, repo: Repository, purpose: str, in_place: bool = True) -> Iterator[None]:
        """Hold the experiment's lock, and ``in_place`` the work tree's: two would run each other's edits there.

        Raises at once, naming the holder, when another process has either.
        """
        here = lock(repo.work_tree_lock, "This work tree", purpose) if in_place else nullcontext()
        with lock(self.directory / "lock", self.branch, purpose), here:
            yield

    def holder(self) -> tuple[str, int]:
        """Who is at this experiment, and its process; empty and 0 when nobody is."""
        holder = holder_of(self.directory / "lock")
        found = re.search(r"process (\d+)", holder)
        return holder, int(found[1]) if found else 0

    def fresh_run_dir(self) -> Path:
        """An empty folder for a run, whatever the one before left in it."""
        try:
            self.run_dir.rmdir()  # most runs leave nothing, and this is quick
        except OSError:
            remove_folder(self.run_dir)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        return self.run_dir

    # -- notes -------------------------------------------------------------------------------------------------------

    def write_note(self, name: str, value: object) -> None:
        """Write ``value``, whatever JSON can hold, as ``NAME.json``: whole or not at all."""
        write_file(self._note(name), json.dumps({"version": VERSION, name: value}).encode())

    def read_note(self, name: str, decode: Callable[[Any], Value | None]) -> Value | None:
        """What ``decode`` makes of a note; ``None`` where there is none, or where a power cut emptied it.

        Raises :class:`UnreadableNoteError` for any other note that is there and cannot be read; the file stays.
        """
        path = self._note(name)
        try:
            text = read_file(path)
        except FileNotFoundError:
            return None
        if not text.strip(b"\0"):
            return None
        try:
            data = json.loads(text)
            version = data["version"]
            if version == VERSION:
                return decode(data[name])
        except (ValueError, TypeError, LookupError, AttributeError):
            version = None
        raise UnreadableNoteError(path, version)

    def forget_note(self, name: str) -> None:
        self._note(name).unlink(missing_ok=True)

    def _note(self, name: str) -> Path:
        return self.directory / f"{name}.json"


def all_logs(private_dir: Path) -> Iterator[Path]:
    """The logs and curves of all experiments of a repository."""
    return (file for folder in sorted(private_dir.glob("*/logs")) for file in sorted(folder.iterdir()))


class UnreadableNoteError(GitexpError):
    """A note that is there and cannot be read: nothing may be done as if it were absent."""

    def __init__(self, path: Path, version: object) -> None:
        newer = isinstance(version, int) and version > VERSION
        why = f"a newer gitexp wrote it (version {version})" if newer else "it is damaged, or an older gitexp wrote it"
        hint = (
            "pip install --upgrade gitexp" if newer else "gitexp abort   # gives that step up; edit and file are kept"
        )
        self.path = path
        super().__init__(f"{path} cannot be read: {why}. It is left as it is.", hint)

    def set_aside(self) -> Path:
        """Rename the file, so that it is in nobody's way; its new path."""
        aside = self.path.with_name(self.path.name + ".unreadable")
        os.replace(self.path, aside)
        return aside
