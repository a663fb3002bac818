"""Files under audit: which paths the commits of a lineage change, and whether they may change them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Lineage, ParsedCommit
from gitexp.git.diff import patch_ids
from gitexp.git.driver import PLAIN_DIFF
from gitexp.git.objects import SYMLINK, entries, read_blobs
from gitexp.git.repository import Repository
from gitexp.git.worktree import covers
from gitexp.iteration.edit import code_lines
from gitexp.model import VIEWS, Contract
from gitexp.paths import path_fault
from gitexp.shell import git_command, pathspec
from gitexp.text import one_line, short

_COMPARE = ("diff-tree", "--stdin", "-r", "--root", *PLAIN_DIFF)


@dataclass(frozen=True, slots=True)
class Change:
    """A path that a commit changes, with its blob ids before and after; all zeros where there is no file."""

    path: str
    old: str
    new: str


def changes_of(repo: Repository, commits: Iterable[ParsedCommit]) -> dict[str, list[Change]]:
    """By commit id, what each commit changes against its first parent; one git process compares them all."""
    parts = iter(os.fsdecode(repo.run(*_COMPARE, "-z", "--no-abbrev", stdin=_pairs(commits))).split("\0"))
    by_commit: dict[str, list[Change]] = {}
    changes: list[Change] = []
    for part in parts:
        if part.startswith(":"):
            _, _, old, new, _ = part.split(" ")
            changes.append(Change(next(parts), old, new))
        elif part:
            changes = by_commit.setdefault(part, [])
    return by_commit


def patches(repo: Repository, commits: Iterable[ParsedCommit], context: int = 3) -> dict[str, str]:
    """By commit id, git's patch id of the change against the first parent, with so many lines of context."""
    return patch_ids(repo, _pairs(commits), context)


def _pairs(commits: Iterable[ParsedCommit]) -> bytes:
    return "".join(f"{commit.oid} {commit.parent}".rstrip() + "\n" for commit in commits).encode()


def check_paths(repo: Repository, lineage: Lineage, contract: Contract) -> Iterator[Finding]:
    """Whether iterations change editable files only, and the baseline holds the contract's frozen files."""
    by_commit = changes_of(repo, lineage.commits)
    for commit in lineage.commits:
        if commit.is_baseline:
            yield from check_frozen(repo, commit, contract)
        for change in by_commit.get(commit.oid, ()):
            if code := forbidden(contract, commit, change):
                yield _finding(code, commit, change.path)
    yield from _check_simpler(repo, lineage, by_commit)


def check_contract(repo: Repository, lineage: Lineage, contract: Contract) -> Iterator[Finding]:
    """Whether every path of the contract stays in the work tree, by its text and by the links in each commit's tree."""
    for path in contract.paths:
        if fault := path_fault(path):
            look = f"git show {short(lineage.commits[0].oid)}"
            yield Finding("contract-path", f"The contract names {path!r}: {fault}.", look)
        elif linked := _linked(repo, lineage, path):
            commit, folder = linked
            sentence = f"The contract names {path!r}, and in {commit.name} {folder} is a link."
            yield Finding("contract-path", sentence, f"git show {short(commit.oid)}")


def _linked(repo: Repository, lineage: Lineage, path: str) -> tuple[ParsedCommit, str] | None:
    """The first commit in which a folder on the way to ``path`` is a link, and that folder."""
    parts = path.split("/")
    folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    for commit in lineage.commits if folders else ():
        for folder, entry in entries(repo, commit.oid, folders).items():
            if entry.mode == SYMLINK and folder in folders:
                return commit, folder
    return None


def check_frozen(repo: Repository, commit: ParsedCommit, contract: Contract) -> Iterator[Finding]:
    """Whether the frozen files in a commit's tree are those of the contract."""
    if not contract.freeze:
        return
    held = entries(repo, commit.tree, [frozen.path for frozen in contract.freeze])
    for frozen in contract.freeze:
        entry = held.get(frozen.path)
        if entry is None or entry.oid != frozen.blob:
            look = git_command("ls-tree", short(commit.oid), "--", frozen.path)
            yield Finding("frozen", f"{commit.name} does not hold {frozen.path} as the contract has it.", look)


def forbidden(contract: Contract, commit: ParsedCommit, change: Change) -> str:
    """The code of what is wrong with a change; empty when it is allowed."""
    frozen = {frozen.path: frozen.blob for frozen in contract.freeze}
    if change.path in frozen:
        return "frozen" if change.new != frozen[change.path] and not commit.is_baseline else ""
    if commit.iteration and change.path in (*VIEWS, *contract.views):
        return "generated"
    return "outside" if commit.iteration and not covers(contract.edit, change.path) else ""


def _finding(code: str, commit: ParsedCommit, path: str) -> Finding:
    why = {"frozen": "is frozen", "generated": "gitexp computes", "outside": "may not change"}[code]
    look = f"git show {short(commit.oid)} -- {pathspec(path)}"
    return Finding(code, f"{commit.name} changes {one_line(path)}, which {why}.", look)


def _check_simpler(repo: Repository, lineage: Lineage, by_commit: Mapping[str, list[Change]]) -> Iterator[Finding]:
    """Whether an edit that was judged as a simplification removes as many lines of code as its trailers say."""
    for commit in lineage.commits:
        claimed = commit.iteration.candidate.simpler if commit.iteration else 0
        if not claimed:
            continue
        changes = by_commit.get(commit.oid, [])
        blobs = read_blobs(repo, {oid for change in changes for oid in (change.old, change.new) if oid.strip("0")})
        fewer = sum(
            code_lines(blobs.get(change.old, b"")) - code_lines(blobs.get(change.new, b"")) for change in changes
        )
        if fewer != claimed:
            sentence = f"{commit.name} says that it is {claimed} lines simpler, and it is {fewer} lines simpler."
            yield Finding("simpler", sentence, f"git show {short(commit.oid)}")
