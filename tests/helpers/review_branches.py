"""Branches for review, as README says to make them by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git


def pick(*ids: str, base: str = "main") -> None:
    """A branch of cherry-picked iterations, as README says to make one."""
    git("switch", "-q", "-c", "review/train", base)
    for identity in ids:
        oid = git("log", "exp/train", "--format=%H", "--grep", f"^Exp-Id: {identity}$").strip()
        git("cherry-pick", "-x", "--allow-empty", "--keep-redundant-commits", oid)


def summarize(gitexp: Gitexp, edit: Callable[[str], str] = str) -> None:
    """The last commit of a review: both views."""
    gitexp("render", "-e", "train", "-o", ".")
    Path("results.tsv").write_text(edit(Path("results.tsv").read_text()))
    git("add", "-f", "results.tsv", "EXPERIMENT.md")
    git("commit", "-q", "-m", "Results of exp/train")
