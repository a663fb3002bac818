"""An edit that was not tried is set aside: its files go back to the incumbent's, and a ref may keep the edit."""

from __future__ import annotations

from gitexp.git import refs
from gitexp.git.objects import entries, index_entries, stage, write_tree
from gitexp.git.replacement import replace_unchanged
from gitexp.git.repository import Repository
from gitexp.iteration.moving import moving
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.loop.proposing import ProposedEdit
from gitexp.signals import signals_wait


def set_aside(repo: Repository, place: ExperimentFiles, edit: ProposedEdit, label: str) -> tuple[str, tuple[str, ...]]:
    """Put each file of ``edit`` back as it is in HEAD, unless it was changed since.

    Returns the ref that keeps the edit, whose name begins with ``label``, and the paths that are left as they are. The
    ref is empty where no file differed, and where the edit can be made again.
    """
    files, index = edit.files or {}, edit.index or {}
    if not files:
        return "", ()
    old = entries(repo, "HEAD", files)
    wanted = {path: old.get(path) for path in files}
    staged = {path: entry for path, entry in index_entries(repo, files).items() if entry != wanted[path]}
    unstaged = {path: wanted[path] for path, entry in staged.items() if path in index and entry == index[path]}
    ref = ""
    with signals_wait(), moving(place):
        if not edit.can_be_made_again:
            tree = write_tree(repo, repo.tree_of("HEAD"), files)
            ref = refs.saved(f"{label}-{tree[:8]}")
            refs.update(repo, "gitexp: set aside", f"update {ref} {tree}")
        if unstaged:
            stage(repo, unstaged)
        return ref, replace_unchanged(repo, place.kept, files, wanted)
