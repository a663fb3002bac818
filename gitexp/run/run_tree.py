"""Where candidates run: a clean tree that holds the candidate and nothing else, or the work tree where a project asks.

The hook, git's configuration and the logs are the person's repository's in both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gitexp.git.clean_tree import CleanTree
from gitexp.git.objects import Entry
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Contract
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.links import VENV, signature, targets
from gitexp.run.python_path import link_renamed, python_path
from gitexp.text import visible


@dataclass(frozen=True, slots=True)
class Content:
    """What a run is to find: a tree, and the commit that it is an edit of."""

    tree: str
    head: str
    files: Mapping[str, Entry | None]  # the paths in which it differs from that commit's tree, with what they hold


class RunTree(Protocol):
    """A place for runs."""

    @property
    def repo(self) -> Repository:
        """The repository; its ``top`` is the folder that holds the candidate."""

    @property
    def data_top(self) -> Path:
        """The work tree that has the frozen data which git does not hold."""

    @property
    def hook(self) -> Path:
        """The post-run hook. Raises GitexpError where there is none."""

    def hold(self, content: Content) -> None:
        """See that the candidate is there, as it will be sealed. Raises GitexpError where it is not."""

    def environment(self) -> dict[str, str]:
        """What a run must be told of the place."""

    def trouble(self, observer: Observer) -> str:
        """What spoiled the run that is over; empty when nothing did. Says what it changed outside of the candidate."""


class InCleanTree:
    """A clean tree of the experiment; ``owner`` is the person's repository."""

    def __init__(self, owner: Repository, place: ExperimentFiles, contract: Contract, tree: CleanTree) -> None:
        self._owner, self._place, self._contract, self._tree = owner, place, contract, tree
        self._behind: dict[str, tuple[object, ...]] = {}  # signatures of what is linked, before the run
        self._links: dict[str, Path] = {}

    @property
    def repo(self) -> Repository:
        return self._tree.repo

    @property
    def data_top(self) -> Path:
        return self._owner.top

    @property
    def hook(self) -> Path:
        return hooks.find(self._owner)

    def hold(self, content: Content) -> None:
        self._links = targets(self._owner, self._place, self._contract)
        self._tree.hold(content.tree, content.head, self._links)
        (self.repo.top / self._contract.directory).mkdir(parents=True, exist_ok=True)
        self._behind = {path: signature(target) for path, target in self._links.items()}

    def environment(self) -> dict[str, str]:
        """The project's own packages are imported from here, and ``uv run`` installs nothing into a linked ``.venv``.

        Through the link uv would point the person's environment at this tree.
        """
        linked = [target for path, target in self._links.items() if os.path.basename(path) == VENV]
        active = [Path(os.environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
        environments = [*linked, *active, Path(sys.prefix)]
        renamed = self._place.run_dir / "python"
        link_renamed(self._owner.top, self.repo.top, environments, renamed)
        path = python_path(self._owner.top, self.repo.top, environments, os.environ)
        path = f"{renamed}{os.pathsep}{path}".strip(os.pathsep) if renamed.is_dir() else path
        return {"UV_NO_SYNC": "1", **({"PYTHONPATH": path} if path else {})}

    def trouble(self, observer: Observer) -> str:
        for path, target in self._links.items():
            if target.exists() and signature(target) != self._behind[path]:
                observer.say(f"{visible(path)} is linked into the clean tree, and it was changed during the run.")
        return ""
