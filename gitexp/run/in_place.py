"""Runs in the person's own work tree, where a project needs it, and what keeps them honest there.

- A run during which an editable file changed is no verdict on what will be sealed: it is spoiled.
- What a run writes into an editable folder is no part of anybody's edit.
- What every run rewrites among the tracked files is noted at the baseline, and put back after each run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import stat_signature
from gitexp.git import refs
from gitexp.git.fsmonitor import changes
from gitexp.git.objects import Entry, entries, file_entry
from gitexp.git.replacement import replace_unchanged
from gitexp.git.repository import Repository
from gitexp.git.worktree import covers, untracked_below
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Contract
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.run_tree import Content
from gitexp.text import visible_list

WRITTEN = "written-by-runs"  # new files in editable folders, with their signatures
REWRITTEN = "rewritten-by-runs"  # tracked files that the baseline's runs rewrote

Look = tuple[tuple[int, ...] | None, Entry | None]  # a file's signature, and what it holds


@dataclass(slots=True)
class InPlace:
    """The work tree of ``repo``: a :class:`gitexp.run.run_tree.RunTree`."""

    repo: Repository
    place: ExperimentFiles
    contract: Contract
    data_top: Path  # the work tree that has the frozen data
    _before: dict[str, Look] = field(default_factory=dict)  # of the editable files
    _persons: set[str] = field(default_factory=set)  # untracked files in the editable folders that no run wrote

    @property
    def hook(self) -> Path:
        return hooks.find(self.repo)

    def hold(self, content: Content) -> None:
        """Somebody may have saved a file since it was taken."""
        changed = [path for path, entry in content.files.items() if file_entry(self.repo, path, entry) != entry]
        if changed:
            raise GitexpError(
                f"{visible_list(changed)} was changed before it could be run again; nothing was recorded.", "git diff"
            )
        files = dict.fromkeys([*content.files, *self.contract.edit])
        self._before = {path: self._look(path) for path in files if not (self.repo.top / path).is_dir()}
        there = untracked_below(self.repo, self.contract.edit)
        self._persons = set(there) - written_by_runs(self.repo, self.place, there)

    def environment(self) -> dict[str, str]:
        return {}

    def trouble(self, observer: Observer) -> str:
        self._note_written()
        self._put_back(observer)
        changed = [path for path, (signature, entry) in self._before.items() if self._differs(path, signature, entry)]
        return f"{visible_list(changed)} was changed during the run" if changed else ""

    def _look(self, path: str) -> Look:
        return stat_signature(self.repo.top / path), file_entry(self.repo, path)

    def _differs(self, path: str, signature: object, entry: Entry | None) -> bool:
        return stat_signature(self.repo.top / path) != signature and file_entry(self.repo, path) != entry

    def _note_written(self) -> None:
        new = [path for path in untracked_below(self.repo, self.contract.edit) if path not in self._persons]
        if new:
            known = self.place.read_note(WRITTEN, dict) or {}
            self.place.write_note(WRITTEN, known | {path: stat_signature(self.repo.top / path) for path in new})

    def _put_back(self, observer: Observer) -> None:
        ours = (*self.contract.edit, *(frozen.path for frozen in self.contract.freeze))
        found = [change.path for change in changes(self.repo, compared=self.contract.edit)]
        rewritten = [path for path in found if not covers(ours, path)]
        if refs.read(self.repo, f"refs/heads/{self.place.branch}") is None:  # the baseline
            known = self.place.read_note(REWRITTEN, list) or []
            if told := [path for path in rewritten if path not in known]:
                observer.say(f"The run rewrites {visible_list(told)}, which git tracks: put back after each run.")
            self.place.write_note(REWRITTEN, [*known, *told])
        noted = self.place.read_note(REWRITTEN, list) or []
        paths = [path for path in rewritten if path in noted]
        if paths:
            old = entries(self.repo, "HEAD", paths)
            held = {path: file_entry(self.repo, path, old.get(path)) for path in paths}
            replace_unchanged(self.repo, self.place.kept, held, {path: old.get(path) for path in paths})


def written_by_runs(repo: Repository, place: ExperimentFiles, paths: Iterable[str]) -> set[str]:
    """Those of ``paths`` that a run wrote, and nobody since."""
    known = place.read_note(WRITTEN, dict) or {}
    return {path for path in paths if path in known and list(stat_signature(repo.top / path) or ()) == known[path]}
