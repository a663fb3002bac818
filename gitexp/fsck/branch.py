"""The chain of an experiment's commits under audit: each one's id, base, tree and revert, against those before it.

A check that needs only the commits themselves belongs here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Kind, Lineage, ParsedCommit
from gitexp.git.provenance import revert_subject
from gitexp.ledger import messages
from gitexp.model import Remark, Status, identity, number
from gitexp.text import one_line, short
from gitexp.verdict import breaker

ANEW = "gitexp init --name NAME   # starts anew from here"


def check_branch(lineage: Lineage) -> Iterator[Finding]:
    """Whether each commit stands where it was sealed, in order, and is reverted unless it was kept."""
    yield from check_parents(lineage.commits)
    if lineage.kind is Kind.REBASED:
        yield _rebased(lineage)
        return
    yield from _check_places(lineage.commits)
    yield from _check_ids(lineage.commits)
    yield from _check_reverts(lineage.commits)
    yield from _check_remarks(lineage.commits)


def check_parents(commits: Iterable[ParsedCommit]) -> Iterator[Finding]:
    """No commit that gitexp seals, and no revert, is a merge: a second parent would bring unmeasured commits along."""
    for commit in commits:
        if len(commit.parents) > 1 and (commit.base or commit.is_summary or commit.reverts):
            look = f"git log --oneline {short(commit.parent)}..{short(commit.oid)}"
            yield Finding("parents", f"{commit.name} has more than one parent, and gitexp makes no merges.", look)


def _rebased(lineage: Lineage) -> Finding:
    """One finding for all commits that a rebase rewrote."""
    copies = [commit for commit in lineage.commits if commit.iteration and not commit.is_own]
    first = copies[0]
    return Finding(
        "rebased",
        f"{first.name}{_others(len(copies) - 1)} sealed on other commits than they stand on here: the branch was "
        "rebased, or iterations were picked together with those that were not kept. The first was sealed on "
        f"{short(first.base)}.",
        "git reflog   # has the branch as it was; a review takes KEEPs: git cherry-pick -x",
    )


def _others(count: int) -> str:
    return f", and {count} after it, were" if count else " was"


def _check_places(commits: tuple[ParsedCommit, ...]) -> Iterator[Finding]:
    """Each sealed commit stands on its base, and an iteration has the tree that was measured."""
    moved: list[ParsedCommit] = []
    for commit in [*(commit for commit in commits if commit.base), None]:
        if commit and not commit.is_own:
            moved.append(commit)
        elif moved:
            clause = f"{moved[0].name}{_others(len(moved) - 1)} sealed on another commit, {short(moved[0].base)}"
            yield Finding("copied", f"{clause}: copied or moved here, or the branch was rewritten.", ANEW)
            moved = []
        if commit and commit.iteration and commit.is_own and commit.tree != commit.iteration.tree:
            diff = f"git diff {short(commit.iteration.tree)} {short(commit.oid)}"
            yield Finding("amended", f"{commit.name} is not the tree that was measured.", diff)


def _check_ids(commits: tuple[ParsedCommit, ...]) -> Iterator[Finding]:
    """Ids count up one by one, and no run is recorded twice."""
    seen: set[int] = set()
    last = -1
    for commit, own in ((commit, commit.claim[0]) for commit in commits if commit.claim):
        if own in seen:
            yield Finding("duplicate-id", f"{commit.name}: an earlier commit is {identity(own)}, too.", "gitexp log")
        elif own < last:
            yield Finding("order", f"{commit.name} comes after {identity(last)}.", "git log --oneline")
        seen.add(own)
        last = max(last, own)
    yield from check_runs(commits)
    for lower, upper in pairwise(sorted(seen)):
        if upper > lower + 1:
            look = f"git log --all --oneline --grep '^Exp-Id: {identity(lower + 1)}$'"
            yield Finding("gap", f"There is no iteration between {identity(lower)} and {identity(upper)}.", look)


def check_runs(commits: Iterable[ParsedCommit]) -> Iterator[Finding]:
    """No run is recorded twice."""
    first_of: dict[str, ParsedCommit] = {}
    for commit in commits:
        if commit.iteration and (first := first_of.setdefault(commit.iteration.candidate.run, commit)) is not commit:
            yield Finding("duplicate-run", f"{commit.name} records the same run as {first.name}.", _show(commit))


def _check_reverts(commits: tuple[ParsedCommit, ...]) -> Iterator[Finding]:
    """The next commit reverts an iteration that was not kept; all others are iterations or remarks."""
    by_oid = {commit.oid: commit for commit in commits}
    for at, commit in enumerate(commits):
        before = commits[at - 1] if at else None
        if commit.needs_revert and before:
            yield from _check_revert(commit, commits[at + 1] if at + 1 < len(commits) else None, before.tree)
        elif commit.remark and before and commit.tree != before.tree:
            yield Finding("remark", f"{commit.name} changes files, and a remark changes none.", _show(commit))
        elif not (commit.claim or commit.remark or (at > 1 and _is_revert(commit, *commits[at - 2 : at]))):
            yield _foreign(commit, by_oid.get(commit.reverts))


def _is_revert(commit: ParsedCommit, before: ParsedCommit, last: ParsedCommit) -> bool:
    """Whether the commit reverts ``last``, or means to: then it is judged together with ``last``."""
    return last.needs_revert and (commit.reverts == last.oid or commit.tree == before.tree)


def _check_revert(commit: ParsedCommit, after: ParsedCommit | None, tree: str) -> Iterator[Finding]:
    """Whether the commit ``after`` reverts ``commit``; ``tree`` is the branch's tree before ``commit``."""
    names_it, restores = bool(after and after.reverts == commit.oid), bool(after and after.tree == tree)
    if after is None or after.base or not (names_it or restores):
        revert = f"git revert {short(commit.oid)}"
        yield Finding("unreverted", f"The commit after {commit.name} does not revert it.", revert)
    elif not restores:
        diff = f"git diff {short(tree)} {short(after.oid)}"
        yield Finding("revert-tree", f"{after.name} does not restore the tree that was there before.", diff)
    elif not names_it:
        yield Finding("unnamed-revert", f"{after.name} undoes {commit.name}, and does not say so.", _show(after))
    elif after.message.subject != revert_subject(commit.message.subject):
        yield Finding(
            "subject", f"The subject of {after.name} does not say that it reverts {commit.name}.", _show(after)
        )


def _foreign(commit: ParsedCommit, reverted: ParsedCommit | None) -> Finding:
    """The finding for a commit that gitexp did not make; ``reverted`` is the commit that it says it reverts."""
    if reverted is None:
        return Finding("foreign", f"{commit.name} was not committed by gitexp.", _show(commit))
    if reverted.needs_revert:
        return Finding("reverted-twice", f"{commit.name} reverts a commit that was reverted before.", _show(commit))
    if reverted.iteration:
        return Finding("reverted-keep", f"{commit.name} reverts a KEEP, and no step made it.", _show(commit))
    return Finding("reapplied", f"{commit.name} brings back an edit that was not kept.", _show(commit))


def _check_remarks(commits: tuple[ParsedCommit, ...]) -> Iterator[Finding]:
    """Each remark is of a known kind, says so in its subject, and is of an iteration that allows it."""
    verdicts: dict[int, str] = {}
    for before, commit in pairwise(commits):
        if before.claim:
            verdicts[before.claim[0]] = before.claim[1]
        if commit.tree != before.tree:  # one that changes files has a finding for that
            continue
        if commit.remark and (fault := _remark_fault(commit.remark, verdicts)):
            yield Finding("remark", f"{commit.name} {fault}.", _show(commit))
        elif commit.remark and commit.message.subject != messages.remark_subject(commit.remark):
            yield Finding("subject", f"The subject of {commit.name} is not what its trailers say.", _show(commit))


def _remark_fault(remark: Remark, verdicts: Mapping[int, str]) -> str:
    """What is wrong with a remark, as a clause; ``verdicts`` are by number those of the iterations before it."""
    verdict = verdicts.get(number(remark.of))
    if remark.kind not in messages.REMARK_SUBJECTS:
        return f"is a remark of the unknown kind {one_line(remark.kind, 20)!r}"
    if verdict is None:
        return f"is a remark on {remark.of}, and no such iteration comes before it"
    if remark.kind == "test" and remark.score is None:
        return "is a look at the held-out split, and has no score"
    if remark.kind == "test" and verdict != Status.KEEP.value:
        return f"is a test of {remark.of}, a {verdict}, and only what is kept is tested"
    if remark.kind == breaker.KIND and (remark.of != identity(max(verdicts)) or verdict != Status.CRASH.value):
        return f"resets the circuit breaker after {remark.of}, which is not the last CRASH"
    return ""


def _show(commit: ParsedCommit) -> str:
    return f"git show {short(commit.oid)}"
