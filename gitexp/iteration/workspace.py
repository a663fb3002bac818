"""Where a proposer works: the experiment's clean tree, with the incumbent in it.

Whatever a proposer does there (it commits, amends, switches, stashes), its edit is one diff against the incumbent. What
it leaves outside of the editable files is gone with the round.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.files import find_file, write_file
from gitexp.git import refs
from gitexp.git.clean_tree import CleanTree
from gitexp.git.objects import differences, entries, file_entry, write_tree
from gitexp.git.repository import Repository
from gitexp.git.worktree import covers
from gitexp.iteration.journal import Files
from gitexp.iteration.moving import moving
from gitexp.iteration.run_trees import clean_tree
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import NOTEBOOK, RESULTS, Notes, view_path
from gitexp.run.links import signature, targets
from gitexp.views.experiment_md import experiment_md
from gitexp.views.notebook import absorb, current

NOTE = "workspace"  # stands while a loop's proposer edits in the workspace, and its edit is not an object of git's yet
# What agents are configured by. Where git does not track it, it is linked for them from the work tree.
AGENT_FILES = ("AGENTS.md", "CLAUDE.md", "GEMINI.md", ".agents", ".claude", ".codex", ".cursor", ".gemini", ".mcp.json")


@dataclass(slots=True)
class Workspace:
    """The incumbent of ``ledger`` in a clean tree, for a proposer to edit."""

    owner: Repository
    place: ExperimentFiles
    ledger: Ledger
    holding: str = ""  # another tree than the incumbent's: an edit of it
    tree: CleanTree = field(init=False)
    _behind: dict[str, tuple[Path, object]] = field(init=False)  # what is linked, with its signature
    outside: tuple[str, ...] = ()  # what the last edit changed outside of the editable files

    def __post_init__(self) -> None:
        contract = self.ledger.contract
        self.tree = clean_tree(self.owner, self.place)
        held = self.holding or self.ledger.tree
        links = targets(self.owner, self.place, contract)
        self._behind = {path: (target, signature(target)) for path, target in links.items()}
        tracked = entries(self.owner, held, AGENT_FILES)
        for name in AGENT_FILES:
            if (self.owner.top / name).exists() and not any(covers([name], path) for path in tracked):
                links.setdefault(name, self.owner.top / name)
        self.tree.hold(held, self.ledger.incumbent.commit, links, ignored=contract.views)
        self._write_views()

    @property
    def repo(self) -> Repository:
        """The repository as seen from the clean tree."""
        return self.tree.repo

    def directory(self, caller: Path) -> Path:
        """Where a command runs that was typed in the folder ``caller`` of the person's work tree."""
        relative = os.path.relpath(os.path.realpath(caller), self.owner.top)
        folder = self.repo.top if relative.startswith("..") else self.repo.top / relative
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def words(self, command: Sequence[str], caller: Path) -> tuple[str, ...]:
        """The command, with each file that is only in the person's folder named by its full path."""
        here = self.directory(caller)
        return tuple(
            str(caller / word) if _is_only_there(caller / word, here / word) and not os.path.isabs(word) else word
            for word in command
        )

    def edit(self) -> Files:
        """What lies there now, as one diff against the incumbent."""
        changed = self.tree.changes()
        if self.holding:
            changed = list(dict.fromkeys([*differences(self.repo, self.ledger.tree, self.holding), *changed]))
        contract = self.ledger.contract
        self.outside = tuple(path for path in changed if not covers(contract.edit, path))
        paths = [path for path in changed if path not in self.outside and path not in contract.views]
        return _differing(self.repo, self.ledger.tree, paths)

    def changed_links(self) -> list[str]:
        """The links behind which something was changed."""
        return [path for path, (target, known) in self._behind.items() if signature(target) != known]

    def notes(self) -> Notes:
        """What the proposer wrote into EXPERIMENT.md."""
        text, computed = current(self.repo, self.ledger.contract.home), experiment_md(self.ledger)
        return Notes() if text == computed else absorb(text, computed)

    def _write_views(self) -> None:
        home = self.ledger.contract.home
        write_file(self.repo.top / view_path(home, NOTEBOOK), experiment_md(self.ledger).encode())
        if table := find_file(self.owner.top / view_path(home, RESULTS)):
            write_file(self.repo.top / view_path(home, RESULTS), table)


def keep_edit(repo: Repository, place: ExperimentFiles, ledger: Ledger, files: Files, label: str) -> str:
    """Keep an edit of the incumbent that no step took; the ref, whose name begins with ``label``."""
    tree = write_tree(repo, ledger.tree, files)
    ref = refs.saved(f"{label}-{tree[:8]}")
    with moving(place):
        refs.update(repo, "gitexp: set aside", f"update {ref} {tree}")
    return ref


def keep_unfinished(owner: Repository, place: ExperimentFiles, ledger: Ledger | None) -> str:
    """Keep what the proposer of a loop that died left in the workspace; the ref, empty where there is nothing.

    Whoever comes next clears up before it uses the workspace, which then holds something else.
    """
    ref = ""
    if place.read_note(NOTE, bool) and ledger and (left := left_in_workspace(owner, place, ledger)):
        ref = keep_edit(owner, place, ledger, left, "loop")
    place.forget_note(NOTE)
    return ref


def left_in_workspace(owner: Repository, place: ExperimentFiles, ledger: Ledger) -> Files:
    """What a proposer left that died while it edited the incumbent of ``ledger``."""
    tree, editable = clean_tree(owner, place), ledger.contract.edit
    if not tree.repo.top.is_dir():
        return {}
    return _differing(tree.repo, ledger.tree, [path for path in tree.changes() if covers(editable, path)])


def _differing(repo: Repository, base_tree: str, paths: Sequence[str]) -> Files:
    """What the work tree of ``repo`` holds at those of ``paths`` that differ from a tree."""
    old = entries(repo, base_tree, paths) if paths else {}
    new = {path: file_entry(repo, path, old.get(path)) for path in paths}
    return {path: entry for path, entry in new.items() if entry != old.get(path)}


def _is_only_there(theirs: Path, here: Path) -> bool:
    return theirs.is_file() and not os.path.lexists(here)
