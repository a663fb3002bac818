"""An edit that was not tried is set aside: the work tree goes back to the incumbent, and a ref may keep the edit."""

from __future__ import annotations

from collections.abc import Iterable

from gitexp.git import refs
from gitexp.git.objects import entries, file_entry, index_entries, stage, write_tree
from gitexp.git.repository import Repository
from gitexp.git.worktree import edited_paths, replace_unchanged
from gitexp.iteration.moving import moving
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.signals import signals_wait


def set_aside(repo: Repository, place: ExperimentFiles, editable: Iterable[str], label: str) -> str:
    """Put every changed file back as it is in HEAD, and return the ref that keeps the edit.

    The ref's name begins with ``label``. It is empty where no file differed, and without a ``label``: an edit that can
    be made again is not kept.
    """
    paths = edited_paths(repo, editable)
    if not paths:
        return ""
    old = entries(repo, "HEAD", paths)
    wanted = {path: old.get(path) for path in paths}
    held = {path: file_entry(repo, path, old.get(path)) for path in paths}
    ref = ""
    index = index_entries(repo, paths)
    staged = {path: entry for path, entry in wanted.items() if index[path] != entry}
    with signals_wait(), moving(place):
        if label:
            tree = write_tree(repo, repo.tree_of("HEAD"), held)
            ref = refs.saved(f"{label}-{tree[:8]}")
            refs.update(repo, "gitexp: set aside", f"update {ref} {tree}")
        if staged:
            stage(repo, staged)
        replace_unchanged(repo, held, wanted)
    return ref
