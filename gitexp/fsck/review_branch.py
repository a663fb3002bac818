"""A review's branch under audit: KEEPs that were picked from an experiment, and the table that sums them up.

A copy stands on another commit than it was sealed on, so it is held to what it carries itself, and to the experiment it
was picked from where that is in this clone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from gitexp.fsck.branch import check_runs
from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Kind, Lineage, Sealed, of_experiment
from gitexp.fsck.paths import check_frozen, check_paths, patches, touched
from gitexp.fsck.verdicts import check_alone
from gitexp.git.objects import read_blobs
from gitexp.git.repository import Repository
from gitexp.ledger.row import COLUMNS, cells
from gitexp.model import RECORDS, RESULTS, Contract, Iteration
from gitexp.text import from_bytes, one_line, short

_TABLE = re.compile(rf"(?:{RECORDS}/.+/)?{re.escape(RESULTS)}")


@dataclass(frozen=True, slots=True)
class Origin:
    """The experiment that a review's KEEPs were picked from, as far as it is in this clone."""

    lineage: Lineage
    contract: Contract

    def of(self, copy: Sealed) -> Sealed | None:
        """What a copy was picked from."""
        run = copy.iteration.candidate.run if copy.iteration else ""
        return next((one for one in self.lineage.commits if one.iteration and one.iteration.candidate.run == run), None)

    def comes_next(self, copy: Iteration) -> bool:
        """Whether all that it was judged by is here, though it is not itself."""
        return copy.number == self.lineage.iterations[-1].number + 1

    def can_judge(self, copy: Iteration) -> bool:
        return self.comes_next(copy) or copy.candidate.run in {
            iteration.candidate.run for iteration in self.lineage.iterations
        }


def origin(repo: Repository, review: Lineage) -> Origin | None:
    """The experiment down from the newest commit that a copy names, its source or else its base."""
    copies = [sealed for sealed in review.commits if sealed.is_copy]
    for copy in sorted(copies, key=lambda one: one.iteration.number if one.iteration else 0, reverse=True):
        for named in filter(None, (copy.picked, copy.base)):
            found = of_experiment(repo, named) if repo.resolve(named) else None
            if found and found.kind is Kind.EXPERIMENT and found.contract and not found.commits[-1].is_copy:
                return Origin(found, found.contract)
    return None


def check_copies(repo: Repository, review: Lineage, source: Origin | None) -> Iterator[Finding]:
    """Everything but the experiment itself."""
    yield from _check_order(review)
    contract = source.contract if source else review.contract
    if contract:
        yield from check_paths(repo, review, contract)
        for sealed in review.commits:
            if sealed.iteration and not sealed.is_baseline:
                yield from check_frozen(repo, sealed, contract)
    yield from _check_patches(repo, review, source)
    for iteration in review.iterations:
        yield from check_alone(contract, iteration)
    if source:
        yield from _check_likeness(review, source)
    yield from _check_table(repo, review, source)


def _check_order(review: Lineage) -> Iterator[Finding]:
    """KEEPs were picked in their order, each once. After other work, another experiment's may follow."""
    before: Sealed | None = None
    for sealed in review.commits:
        if sealed.iteration and before and before.iteration and sealed.iteration.number < before.iteration.number:
            yield Finding("order", f"{sealed.name} comes after {before.iteration.id}.", "git log --oneline")
        before = sealed
    yield from check_runs(review.commits)


def _check_patches(repo: Repository, review: Lineage, source: Origin | None) -> Iterator[Finding]:
    """What is not the tree that was measured holds at least the change that was."""
    other = [
        sealed
        for sealed in review.commits
        if sealed.iteration and sealed.iteration.candidate.patch and sealed.commit.tree != sealed.iteration.tree
    ]
    found = patches(repo, (sealed.commit for sealed in other)) if other else {}
    for sealed in other:
        if (
            sealed.iteration
            and found.get(sealed.oid) != sealed.iteration.candidate.patch
            and not _alike(repo, sealed, source)
        ):
            said = "does not make the change that was measured, or makes it where the lines around it differ"
            yield Finding("patch", f"{sealed.name} {said}.", f"git show {short(sealed.oid)}")


def _alike(repo: Repository, copy: Sealed, source: Origin | None) -> bool:
    """Whether it changes what its original does, whatever stands around it."""
    sealed = source.of(copy) if source else None
    ids = patches(repo, (copy.commit, sealed.commit), context=0) if sealed else {}
    return len(ids) == 2 and len(set(ids.values())) == 1


def _check_likeness(review: Lineage, source: Origin) -> Iterator[Finding]:
    for copy in review.commits:
        sealed = source.of(copy)
        if sealed is None or copy.message.trailers == sealed.message.trailers:
            continue
        differ = sorted({key for key, _ in set(copy.message.trailers) ^ set(sealed.message.trailers)})
        diff = f"git range-diff {short(sealed.oid)}^! {short(copy.oid)}^!"
        said = f"{copy.name} does not say what {short(sealed.oid)} says, which it was picked from"
        yield Finding("unlike", f"{said}: {', '.join(differ) or 'their order'}.", diff)


def _check_table(repo: Repository, review: Lineage, source: Origin | None) -> Iterator[Finding]:
    """The summary's rows say what the trailers say, as far as ids match."""
    changes = touched(repo, (sealed.commit for sealed in review.commits if not sealed.iteration))
    tables = [(oid, change) for oid, made in changes.items() for change in made if _TABLE.fullmatch(change.path)]
    if not tables or not tables[-1][1].new.strip("0"):
        return
    (commit, table), known = tables[-1], _rows(review, source)
    header, *lines = from_bytes(read_blobs(repo, [table.new])[table.new]).rstrip("\n").split("\n")
    look = f"git show {quote(f'{short(commit)}:{table.path}')}"
    if header.split("\t") != COLUMNS:
        yield Finding("table", f"{RESULTS} in {short(commit)} is not the table that gitexp computes.", look)
        return
    rows = [dict(zip(COLUMNS, line.split("\t"), strict=False)) for line in lines]
    for said in _lies(rows, known):
        yield Finding("table", f"{RESULTS} in {short(commit)} {said}.", look)


def _lies(rows: list[dict[str, str]], known: dict[str, dict[str, set[str]]]) -> Iterator[str]:
    """For each row of a known id, the first thing in it that is not so."""
    seen: set[str] = set()
    for row in rows:
        identity = row["id"]
        if identity in seen and identity in known:
            yield f"has two rows for {identity}"
        seen.add(identity)
        wrong = [column for column, values in known.get(identity, {}).items() if row.get(column) not in values]
        if wrong:
            got, sealed = one_line(row.get(wrong[0], ""), 60), one_line(min(known[identity][wrong[0]]), 60)
            yield f"has {wrong[0]} {got!r} for {identity}, whose trailers say {sealed!r}"


def _rows(review: Lineage, source: Origin | None) -> dict[str, dict[str, set[str]]]:
    """By id and column, what a row may say."""
    rows: dict[str, dict[str, set[str]]] = {}
    for sealed in (*(source.lineage.commits if source else ()), *review.commits):
        if sealed.iteration:
            row = rows[sealed.iteration.id] = {column: {text} for column, text in cells(sealed.iteration).items()}
            if sealed.picked or not sealed.is_copy:
                row["commit"] = {short(sealed.oid), short(sealed.picked or sealed.oid)}
    return rows
