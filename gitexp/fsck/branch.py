"""An experiment's branch under audit: ids, bases, trees and reverts, as its commits alone show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Kind, Lineage, Sealed
from gitexp.git.provenance import revert_subject
from gitexp.text import short

ANEW = "gitexp init --name NAME   # starts anew from here"


def audit(lineage: Lineage) -> Iterator[Finding]:
    if lineage.kind is Kind.REBASED:
        yield _rebased(lineage)
        return
    yield from _check_places(lineage.commits)
    yield from _check_ids(lineage.commits)
    yield from _check_reverts(lineage.commits)


def _rebased(lineage: Lineage) -> Finding:
    """One finding for what rewrote all of them."""
    copies = [sealed for sealed in lineage.commits if sealed.iteration and not sealed.is_own]
    first = copies[0]
    others = _others(len(copies) - 1)
    return Finding(
        "rebased",
        f"{first.name}{others} sealed on other commits than they stand on here: the branch was rebased, or picked with "
        f"what was not kept. {short(first.base)} is what the first was sealed on.",
        "git reflog   # has the branch as it was; a review takes KEEPs: git cherry-pick -x",
    )


def _others(count: int) -> str:
    return f", and {count} after it, were" if count else " was"


def _check_places(commits: tuple[Sealed, ...]) -> Iterator[Finding]:
    """Each commit stands on the one it was sealed on, with the tree that was measured."""
    sealed = [one for one in commits if one.base]
    moved: list[Sealed] = []
    for one in [*sealed, None]:
        if one and not one.is_own:
            moved.append(one)
        elif moved:
            told = f"{moved[0].name}{_others(len(moved) - 1)} sealed on another commit, {short(moved[0].base)}"
            yield Finding("copied", f"{told}: copied or moved here, or the branch was rewritten.", ANEW)
            moved = []
        if one and one.iteration and one.is_own and one.commit.tree != one.iteration.tree:
            diff = f"git diff {short(one.iteration.tree)} {short(one.oid)}"
            yield Finding("amended", f"{one.name} is not the tree that was measured.", diff)


def _check_ids(commits: tuple[Sealed, ...]) -> Iterator[Finding]:
    """Ids count up one by one, and no run is recorded twice."""
    told = [(sealed, sealed.claim[0]) for sealed in commits if sealed.claim]
    seen: set[int] = set()
    last = -1
    for sealed, number in told:
        if number in seen:
            yield Finding("twice", f"{sealed.name}: there is an exp{number:03d} before it.", "gitexp log")
        elif number < last:
            yield Finding("order", f"{sealed.name} comes after exp{last:03d}.", "git log --oneline")
        seen.add(number)
        last = max(last, number)
    yield from check_runs(commits)
    for lower, upper in pairwise(sorted(seen)):
        if upper > lower + 1:
            look = f"git log --all --oneline --grep '^Exp-Id: exp{lower + 1:03d}$'"
            yield Finding("gap", f"There is nothing between exp{lower:03d} and exp{upper:03d}.", look)


def check_runs(commits: Iterable[Sealed]) -> Iterator[Finding]:
    """No run is recorded twice."""
    runs: dict[str, Sealed] = {}
    for sealed in commits:
        if sealed.iteration and (first := runs.setdefault(sealed.iteration.candidate.run, sealed)) is not sealed:
            yield Finding(
                "run", f"{sealed.name} records the same run as {first.name}.", f"git show {short(sealed.oid)}"
            )


def _check_reverts(commits: tuple[Sealed, ...]) -> Iterator[Finding]:
    """What is not kept is undone by the next commit; nothing else but iterations and remarks is on the branch."""
    by_oid = {sealed.oid: sealed for sealed in commits}
    for at, sealed in enumerate(commits):
        last = commits[at - 1] if at else None
        if sealed.is_undone and last:
            yield from _check_undone(sealed, commits[at + 1] if at + 1 < len(commits) else None, last.commit.tree)
        elif sealed.remark and last and sealed.commit.tree != last.commit.tree:
            yield Finding("remark", f"{sealed.name} changes files, and a remark changes none.", _show(sealed))
        elif not (sealed.claim or sealed.remark or (at > 1 and _is_undoing(sealed, *commits[at - 2 : at]))):
            yield _stranger(sealed, by_oid.get(sealed.reverts))


def _is_undoing(sealed: Sealed, before: Sealed, last: Sealed) -> bool:
    """Whether it is judged along with the commit before it."""
    return last.is_undone and (sealed.reverts == last.oid or sealed.commit.tree == before.commit.tree)


def _check_undone(sealed: Sealed, after: Sealed | None, tree: str) -> Iterator[Finding]:
    """``tree`` is what the branch held before it."""
    names_it, restores = bool(after and after.reverts == sealed.oid), bool(after and after.commit.tree == tree)
    if after is None or after.base or not (names_it or restores):
        revert = f"git revert {short(sealed.oid)}"
        yield Finding("unreverted", f"{sealed.name} is not reverted right after it.", revert)
    elif not restores:
        diff = f"git diff {short(tree)} {short(after.oid)}"
        yield Finding("revert-tree", f"{after.name} does not leave the tree that was there before.", diff)
    elif not names_it:
        yield Finding("revert-of", f"{after.name} undoes {sealed.name}, and does not say so.", _show(after))
    elif after.message.subject != revert_subject(sealed.message.subject):
        yield Finding("subject", f"{after.name} reverts {sealed.name}, and calls it something else.", _show(after))


def _stranger(sealed: Sealed, reverted: Sealed | None) -> Finding:
    if reverted is None:
        return Finding("stranger", f"{sealed.name} was not committed by gitexp.", _show(sealed))
    if reverted.is_undone:
        return Finding("reverted-twice", f"{sealed.name}: that was reverted already.", _show(sealed))
    if reverted.iteration:
        return Finding("undone", f"{sealed.name} takes back what was kept, and no step made it.", _show(sealed))
    return Finding("reapplied", f"{sealed.name} brings back what was not kept, and no step made it.", _show(sealed))


def _show(sealed: Sealed) -> str:
    return f"git show {short(sealed.oid)}"
