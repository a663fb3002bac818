"""Where an experiment's candidates run, and what becomes of the clean trees of experiments that are gone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from gitexp.files import find_file, holder_of, remove_folder, write_file
from gitexp.git import refs
from gitexp.git.clean_tree import CleanTree, open_clean_tree
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import BRANCH_PREFIX, Contract
from gitexp.run.in_place import InPlace
from gitexp.run.run_tree import InCleanTree, RunTree

OWNER = "repository.txt"  # in each repository's folder: where its experiments' files are


def run_tree(repo: Repository, place: ExperimentFiles, contract: Contract) -> RunTree:
    """The place where the experiment's candidates run."""
    if contract.in_place:
        return InPlace(repo, place, contract, repo.top)
    return InCleanTree(repo, place, contract, clean_tree(repo, place))


def clean_tree(repo: Repository, place: ExperimentFiles) -> CleanTree:
    """The clean tree of an experiment."""
    folder = _folder(repo)
    if find_file(folder / OWNER) is None:
        write_file(folder / OWNER, os.fsencode(repo.private_dir))
        folder.chmod(0o700)
    return open_clean_tree(repo, folder / quote(place.name, safe=""))


def remove_forsaken_trees(repo: Repository) -> None:
    """Remove the clean trees of experiments and repositories that are gone."""
    for folder in _below(_home()):
        owner = find_file(folder / OWNER)
        if owner and not os.path.isdir(owner):  # nothing without that file is gitexp's
            remove_folder(folder)
    for tree in _below(_folder(repo)):
        place = ExperimentFiles.of(repo, unquote(tree.name))
        is_known = refs.read(repo, f"refs/heads/{BRANCH_PREFIX}{place.name}") or refs.read(repo, place.ref)
        if not is_known and not holder_of(place.directory / "lock"):
            remove_folder(tree)


def _below(folder: Path) -> Iterator[Path]:
    return (each for each in folder.glob("*") if each.is_dir() and not each.is_symlink())


def _folder(repo: Repository) -> Path:
    """The folder of the repository's clean trees."""
    key = hashlib.sha256(os.fsencode(repo.private_dir)).hexdigest()[:12]
    return _home() / f"{quote(repo.private_dir.parent.parent.name, safe='')}-{key}"


def _home() -> Path:
    """``$GITEXP_SCRATCH``, or a folder of the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    named = os.environ.get("GITEXP_SCRATCH") or os.path.join(cache, "gitexp", "trees")
    return Path(os.path.realpath(named))
