"""A review's branch under audit: KEEPs that were picked from an experiment, and the table that sums them up.

A copy stands on another commit than the one it was sealed on. So it is held to what it says itself, and to the
experiment that it was picked from where that is in this clone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitexp.fsck.branch import check_parents, check_runs
from gitexp.fsck.finding import Finding
from gitexp.fsck.lineages import Kind, Lineage, ParsedCommit, of_experiment
from gitexp.fsck.paths import changes_of, check_frozen, check_paths, patches
from gitexp.fsck.verdicts import check_alone
from gitexp.git.objects import read_blobs
from gitexp.git.repository import Repository
from gitexp.ledger.row import COLUMNS, cells
from gitexp.model import RECORDS, RESULTS, Contract, Iteration
from gitexp.shell import git_command
from gitexp.text import from_bytes, one_line, short

_TABLE = re.compile(rf"(?:{RECORDS}/.+/)?{re.escape(RESULTS)}")


@dataclass(frozen=True, slots=True)
class Origin:
    """The experiment that a review's KEEPs were picked from, as far as it is in this clone."""

    lineage: Lineage
    contract: Contract

    def source_of(self, copy: ParsedCommit) -> ParsedCommit | None:
        """The commit that a copy was picked from; ``None`` where it is not in this clone."""
        run = copy.iteration.candidate.run if copy.iteration else ""
        commits = (commit for commit in self.lineage.commits if commit.iteration)
        return next((one for one in commits if one.iteration and one.iteration.candidate.run == run), None)

    def comes_next(self, copy: Iteration) -> bool:
        """Whether the lineage ends just before the copied iteration: all that it was judged by is here."""
        return copy.number == self.lineage.iterations[-1].number + 1

    def can_judge(self, copy: Iteration) -> bool:
        """Whether the copied iteration can be judged: it is in the lineage, or comes next."""
        runs = {iteration.candidate.run for iteration in self.lineage.iterations}
        return self.comes_next(copy) or copy.candidate.run in runs


def origin(repo: Repository, review: Lineage) -> Origin | None:
    """The experiment that ends at the newest commit that a copy names: its source, or else its base."""
    copies = [commit for commit in review.commits if commit.is_copy]
    for copy in sorted(copies, key=lambda one: one.iteration.number if one.iteration else 0, reverse=True):
        for named in filter(None, (copy.picked, copy.base)):
            lineage = of_experiment(repo, named) if repo.resolve(named) else None
            is_experiment = lineage and lineage.kind is Kind.EXPERIMENT and not lineage.commits[-1].is_copy
            if lineage and is_experiment and lineage.contract:
                return Origin(lineage, lineage.contract)
    return None


def check_copies(repo: Repository, review: Lineage, source: Origin | None) -> Iterator[Finding]:
    """Whether a review's copies and its table say what was measured; the experiment itself is checked elsewhere."""
    yield from check_parents(review.commits)
    yield from _check_order(review)
    contract = source.contract if source else review.contract
    if contract:
        yield from check_paths(repo, review, contract)
        for commit in review.commits:
            if commit.iteration and not commit.is_baseline:
                yield from check_frozen(repo, commit, contract)
    yield from _check_patches(repo, review, source)
    for iteration in review.iterations:
        yield from check_alone(contract, iteration)
    if source:
        yield from _check_likeness(review, source)
    yield from _check_table(repo, review, source)


def _check_order(review: Lineage) -> Iterator[Finding]:
    """KEEPs were picked in their order, each once. After other work, another experiment's KEEPs may follow."""
    before: ParsedCommit | None = None
    for commit in review.commits:
        if commit.iteration and before and before.iteration and commit.iteration.number < before.iteration.number:
            yield Finding("order", f"{commit.name} comes after {before.iteration.id}.", "git log --oneline")
        before = commit
    yield from check_runs(review.commits)


def _check_patches(repo: Repository, review: Lineage, source: Origin | None) -> Iterator[Finding]:
    """A copy whose tree is not the one that was measured makes at least the change that was measured."""
    measured = [
        (commit, commit.iteration.candidate.patch)
        for commit in review.commits
        if commit.iteration and commit.tree != commit.iteration.tree and commit.iteration.candidate.patch
    ]
    actual = patches(repo, (commit for commit, _ in measured)) if measured else {}
    for commit, patch in measured:
        if actual.get(commit.oid) != patch and not _changes_the_same(repo, commit, source):
            clause = "does not make the change that was measured, or makes it between other lines"
            yield Finding("patch", f"{commit.name} {clause}.", f"git show {short(commit.oid)}")


def _changes_the_same(repo: Repository, copy: ParsedCommit, origin: Origin | None) -> bool:
    """Whether a copy makes the change of its source, whatever lines stand around it."""
    source = origin.source_of(copy) if origin else None
    ids = patches(repo, (copy, source), context=0) if source else {}
    return len(ids) == 2 and len(set(ids.values())) == 1


def _check_likeness(review: Lineage, origin: Origin) -> Iterator[Finding]:
    """Each copy has the trailers of its source."""
    for copy in review.commits:
        source = origin.source_of(copy)
        if source is None or copy.message.trailers == source.message.trailers:
            continue
        differ = sorted({key for key, _ in set(copy.message.trailers) ^ set(source.message.trailers)})
        diff = f"git range-diff {short(source.oid)}^! {short(copy.oid)}^!"
        clause = f"{copy.name} has other trailers than {short(source.oid)}, from which it was picked"
        yield Finding("copy-differs", f"{clause}: {', '.join(differ) or 'their order'}.", diff)


def _check_table(repo: Repository, review: Lineage, source: Origin | None) -> Iterator[Finding]:
    """The last results.tsv of the review says what the trailers say of the iterations that are here."""
    by_commit = changes_of(repo, (commit for commit in review.commits if not commit.iteration))
    tables = [(oid, one) for oid, changes in by_commit.items() for one in changes if _TABLE.fullmatch(one.path)]
    if not tables or not tables[-1][1].new.strip("0"):
        return
    commit, table = tables[-1]
    header, *lines = from_bytes(read_blobs(repo, [table.new])[table.new]).rstrip("\n").split("\n")
    look = git_command("show", f"{short(commit)}:{table.path}")
    if header.split("\t") != COLUMNS:
        yield Finding("table", f"{RESULTS} in {short(commit)} is not the table that gitexp computes.", look)
        return
    rows = [dict(zip(COLUMNS, line.split("\t"), strict=False)) for line in lines]
    for clause in _table_faults(rows, _expected_rows(review, source)):
        yield Finding("table", f"{RESULTS} in {short(commit)} {clause}.", look)


def _table_faults(rows: list[dict[str, str]], expected: dict[str, dict[str, set[str]]]) -> Iterator[str]:
    """For each row of an expected id, the first cell that is wrong, as a clause."""
    seen: set[str] = set()
    for row in rows:
        identity = row["id"]
        if identity in seen and identity in expected:
            yield f"has two rows for {identity}"
        seen.add(identity)
        wrong = [column for column, texts in expected.get(identity, {}).items() if row.get(column) not in texts]
        if wrong:
            text, sealed = one_line(row.get(wrong[0], ""), 60), one_line(min(expected[identity][wrong[0]]), 60)
            yield f"has {wrong[0]} {text!r} for {identity}, whose trailers say {sealed!r}"


def _expected_rows(review: Lineage, source: Origin | None) -> dict[str, dict[str, set[str]]]:
    """By id and column, the texts that a cell may have."""
    rows: dict[str, dict[str, set[str]]] = {}
    for commit in (*(source.lineage.commits if source else ()), *review.commits):
        if commit.iteration:
            row = rows[commit.iteration.id] = {column: {text} for column, text in cells(commit.iteration).items()}
            if commit.picked or not commit.is_copy:
                row["commit"] = {short(commit.oid), short(commit.picked or commit.oid)}
    return rows
