"""Which files a history touches, and whether it may: all of it compared tree by tree, in one process of git."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from shlex import quote

from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Lineage, Sealed
from gitexp.git.commits import Commit
from gitexp.git.diff import patch_ids
from gitexp.git.driver import PLAIN_DIFF
from gitexp.git.objects import SYMLINK, entries, read_blobs
from gitexp.git.repository import Repository
from gitexp.git.worktree import covers, pathspec
from gitexp.iteration.edit import code_lines
from gitexp.model import VIEWS, Contract
from gitexp.paths import path_fault
from gitexp.text import one_line, short

_COMPARE = ("diff-tree", "--stdin", "-r", "--root", *PLAIN_DIFF)


@dataclass(frozen=True, slots=True)
class Touched:
    """A path that a commit changes, and the blobs before and after: all zeros for none."""

    path: str
    old: str
    new: str


def touched(repo: Repository, commits: Iterable[Commit]) -> dict[str, list[Touched]]:
    """By commit id, what each changes against its first parent."""
    parts = iter(os.fsdecode(repo.run(*_COMPARE, "-z", "--no-abbrev", stdin=_pairs(commits))).split("\0"))
    found: dict[str, list[Touched]] = {}
    here: list[Touched] = []
    for part in parts:
        if part.startswith(":"):
            _, _, old, new, _ = part.split(" ")
            here.append(Touched(next(parts), old, new))
        elif part:
            here = found.setdefault(part, [])
    return found


def patches(repo: Repository, commits: Iterable[Commit], context: int = 3) -> dict[str, str]:
    """By commit id, git's patch id of the change, as :meth:`Repository.patch_id` has it of two trees."""
    return patch_ids(repo, _pairs(commits), context)


def _pairs(commits: Iterable[Commit]) -> bytes:
    return "".join(" ".join((commit.oid, *commit.parents[:1])) + "\n" for commit in commits).encode()


def check_paths(repo: Repository, lineage: Lineage, contract: Contract) -> Iterator[Finding]:
    """An iteration changes editable files only, and none that is computed; each tree has the contract's frozen ones."""
    changes = touched(repo, (sealed.commit for sealed in lineage.commits))
    for sealed in lineage.commits:
        if sealed.is_baseline:
            yield from check_frozen(repo, sealed, contract)
        for change in changes.get(sealed.oid, ()):
            if code := _forbidden(contract, sealed, change):
                yield _finding(code, sealed, change.path)
    yield from _check_simpler(repo, lineage, changes)


def check_frozen(repo: Repository, sealed: Sealed, contract: Contract) -> Iterator[Finding]:
    """Whatever it changes: the frozen files of its tree are those of the contract."""
    if not contract.freeze:
        return
    held = entries(repo, sealed.commit.tree, [frozen.path for frozen in contract.freeze])
    for frozen in contract.freeze:
        entry = held.get(frozen.path)
        if entry is None or entry.oid != frozen.blob:
            look = f"git ls-tree {short(sealed.oid)} {quote(frozen.path)}"
            yield Finding("frozen", f"{sealed.name} does not hold {frozen.path} as the contract has it.", look)


def _forbidden(contract: Contract, sealed: Sealed, change: Touched) -> str:
    """The code of what is wrong with a change; empty when it is allowed."""
    frozen = {frozen.path: frozen.blob for frozen in contract.freeze}
    if change.path in frozen:
        return "frozen" if change.new != frozen[change.path] and not sealed.is_baseline else ""
    if sealed.iteration and change.path in VIEWS:
        return "generated"
    return "outside" if sealed.iteration and not covers(contract.edit, change.path) else ""


def _finding(code: str, sealed: Sealed, path: str) -> Finding:
    what = {"frozen": "is frozen", "generated": "is computed", "outside": "may not change"}[code]
    look = f"git show {short(sealed.oid)} -- {pathspec(path)}"
    return Finding(code, f"{sealed.name} changes {one_line(path)}, which {what}.", look)


def _check_simpler(repo: Repository, lineage: Lineage, changes: Mapping[str, list[Touched]]) -> Iterator[Finding]:
    """Code that was kept for being shorter is as much shorter as it says."""
    for sealed in lineage.commits:
        if not sealed.iteration or not sealed.iteration.candidate.simpler:
            continue
        edits = changes.get(sealed.oid, [])
        blobs = read_blobs(repo, {oid for edit in edits for oid in (edit.old, edit.new) if oid.strip("0")})
        fewer = sum(code_lines(blobs.get(edit.old, b"")) - code_lines(blobs.get(edit.new, b"")) for edit in edits)
        if fewer != sealed.iteration.candidate.simpler:
            said = f"{sealed.name} calls itself {sealed.iteration.candidate.simpler} lines simpler, and is {fewer}."
            yield Finding("simpler", said, f"git show {short(sealed.oid)}")


def check_contract(repo: Repository, lineage: Lineage, contract: Contract) -> Iterator[Finding]:
    """No path of a contract leads out of the work tree, by its text or by a link in a commit's tree."""
    for path in contract.paths:
        if fault := path_fault(path):
            look = f"git show {short(lineage.commits[0].oid)}"
            yield Finding("contract-path", f"The contract names {path!r}: {fault}.", look)
        elif linked := _linked(repo, lineage, path):
            sealed, folder = linked
            said = f"The contract names {path!r}, and in {sealed.name} {folder} is a link."
            yield Finding("contract-path", said, f"git show {short(sealed.oid)}")


def _linked(repo: Repository, lineage: Lineage, path: str) -> tuple[Sealed, str] | None:
    """The first commit in which a folder on the way to ``path`` is a link, and that folder."""
    parts = path.split("/")
    folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    for sealed in lineage.commits if folders else ():
        for folder, entry in entries(repo, sealed.oid, folders).items():
            if entry.mode == SYMLINK and folder in folders:
                return sealed, folder
    return None
