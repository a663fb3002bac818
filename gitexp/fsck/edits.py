"""Edits under audit: what an iteration's trailers say that its commit changes, against what it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from gitexp.errors import GitexpError
from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Lineage, ParsedCommit
from gitexp.fsck.paths import Change, changes_of, forbidden, patches
from gitexp.git.objects import read_blobs
from gitexp.git.repository import Repository
from gitexp.iteration.edit import MOST, changed
from gitexp.model import Candidate, Contract
from gitexp.text import one_line, short

Contents = Mapping[str, tuple[bytes, bytes]]  # by path, what a commit's parent and the commit itself hold


def check_edits(repo: Repository, lineage: Lineage, contract: Contract) -> Iterator[Finding]:
    """Whether ``Exp-Patch`` and ``Exp-Change`` follow from the commit.

    A commit that is not what was measured, or changes what it must not, has a finding for that already; so has an
    object that is missing.
    """
    with suppress(GitexpError):
        yield from _check_edits(repo, lineage, contract)


def _check_edits(repo: Repository, lineage: Lineage, contract: Contract) -> Iterator[Finding]:
    changes = changes_of(repo, lineage.commits)
    edits = [commit for commit in lineage.commits if _is_whole(commit, contract, changes.get(commit.oid, ()))]
    actual = patches(repo, edits)
    for commit in edits:
        assert commit.iteration
        candidate = commit.iteration.candidate
        if not candidate.patch and not candidate.changes:  # it says nothing
            continue
        contents = _contents(repo, changes.get(commit.oid, ()))
        look = f"git show {short(commit.oid)}"
        if candidate.patch != actual.get(commit.oid, "") and not _patch_depends(contents):
            clause = f"has the patch id {one_line(candidate.patch, 50) or 'none'!r}, and git gives its edit another"
            yield Finding("patch", f"{commit.name} {clause}.", look)
        if fault := _change_fault(candidate, contents):
            yield Finding("change", f"{commit.name} {fault}.", look)


def _is_whole(commit: ParsedCommit, contract: Contract, changes: Sequence[Change]) -> bool:
    """Whether a commit is an iteration's edit as it was measured, of nothing but what it may change."""
    if not commit.iteration or commit.is_baseline or not commit.is_own or commit.tree != commit.iteration.tree:
        return False
    return not any(forbidden(contract, commit, change) for change in changes)


def _contents(repo: Repository, changes: Sequence[Change]) -> Contents:
    blobs = read_blobs(repo, {oid for change in changes for oid in (change.old, change.new) if oid.strip("0")})
    return {change.path: (blobs.get(change.old, b""), blobs.get(change.new, b"")) for change in changes}


def _patch_depends(contents: Contents) -> bool:
    """Whether the patch id depends on git's version or on how names were quoted when it was sealed."""
    return any(not path.isascii() or any(b"\0" in side for side in sides) for path, sides in contents.items())


def _change_fault(candidate: Candidate, contents: Contents) -> str:
    """How the things that the trailers name differ from those that the edit changes, as a clause."""
    claimed, actual = candidate.changes, changed(contents)
    if len(actual) > MOST:  # which of them are named depends on the order of the files
        claimed, actual = claimed[MOST:], actual[MOST:]
    if set(claimed) == set(actual):
        return ""
    unread = {f"file {path}" for path in contents if path.endswith(".py")}  # by this Python, or by the one that sealed
    if unread & set(actual) or (unread & set(claimed) and set(claimed) - unread <= set(actual)):
        return ""
    named, found = (one_line(", ".join(things), 80) or "nothing" for things in (claimed, actual))
    return f"says that it changes {named}, and it changes {found}"
