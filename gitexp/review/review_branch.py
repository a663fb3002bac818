"""The branch ``review/<name>``: the KEEPs alone, and one last commit with the record of the whole experiment.

The branch is gitexp's own, and is made anew each time. The same history gives the same commits, unless commits are
signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitexp.errors import GitexpError
from gitexp.git.commits import commit_tree, first_parents
from gitexp.git.driver import PLAIN_LOG
from gitexp.git.objects import REGULAR, Entry, entries, write_tree
from gitexp.git.repository import Repository
from gitexp.git.scratch import scratch_tree
from gitexp.ledger import summary
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, NOTEBOOK, RECORDS, RESULTS
from gitexp.review.pick import ConflictError, Picked, check_unused, choose, move, replay
from gitexp.shell import git_command, pathspec
from gitexp.text import short, visible
from gitexp.views.experiment_md import experiment_md
from gitexp.views.results_tsv import results_tsv

PREFIX = "review/"
OTHER_BASE = "gitexp pr --base BRANCH"


@dataclass(frozen=True, slots=True)
class Review:
    """A review branch as it was made."""

    branch: str
    old: str | None  # its tip before; None for a new branch
    start: str  # the merge base, where the branch begins
    tip: str
    picks: tuple[Picked, ...]
    record: str  # the folder that holds results.tsv and EXPERIMENT.md


def refresh(repo: Repository, ledger: Ledger, base: str) -> Review:
    """Make ``review/<name>`` from the merge base of ``base`` and the experiment, or make it anew.

    Raises GitexpError, with no branch moved, where somebody committed to ``review/<name>`` or has it checked out, and
    where a KEEP does not apply.
    """
    branch, record = PREFIX + ledger.name, f"{RECORDS}/{ledger.name}"
    old = repo.resolve(f"refs/heads/{branch}")
    start = _merge_base(repo, ledger, base)
    check_unused(repo, branch)
    if old and not is_ours(repo, old, ledger.name):
        raise GitexpError(
            f"{visible(branch)} ends with a commit that gitexp did not make: "
            f"{repo.line('log', '-1', '--format=%h %s', old)}.",
            f"{git_command('branch', '-m', branch, branch + '-mine')}   # keeps that commit; then again",
        )
    chosen = choose(repo, ledger)
    with scratch_tree(repo, start) as work:
        try:
            picks = replay(work, ledger, chosen, base, dated=True)
        except ConflictError as conflict:
            began = f"{BRANCH_PREFIX}{ledger.name} began at {short(ledger.baseline.base)}"
            raise GitexpError(
                f"{conflict.sentence} {began}, and {base} shares its history only up to {short(start)}.",
                f"{OTHER_BASE}   # with the branch that the experiment began on",
            ) from None
        tip = _seal(work, ledger, record)
        if tip != old:
            check_unused(repo, branch)
            move(repo, branch, tip, old, start, f"gitexp pr: {ledger.iterations[-1].id}")
    return Review(branch, old, start, tip, picks, record)


def default_base(repo: Repository) -> str:
    """The branch that work is merged into: the one that origin's HEAD names, or main, or master.

    Raises GitexpError where none of them exists.
    """
    theirs = repo.lookup("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD", none=1) or ""
    names = filter(None, (theirs.removeprefix("refs/remotes/origin/"), "main", "master"))
    for branch in (form for name in names for form in (name, f"origin/{name}")):
        if repo.resolve(branch):
            return branch
    raise GitexpError("Neither this repository nor its remote origin has a branch main.", OTHER_BASE)


def _merge_base(repo: Repository, ledger: Ledger, base: str) -> str:
    if repo.resolve(base) is None:
        raise GitexpError(f"There is no branch {visible(base)} here.", OTHER_BASE)
    merge_base = repo.lookup("merge-base", "--", base, ledger.tip)
    if merge_base is None:
        raise GitexpError(f"{base} and {BRANCH_PREFIX}{ledger.name} have no history in common.", OTHER_BASE)
    if merge_base == ledger.tip:
        raise GitexpError(f"All of {BRANCH_PREFIX}{ledger.name} is on {base}: nothing is left to review.", OTHER_BASE)
    return merge_base


def is_ours(repo: Repository, commit: str, name: str) -> bool:
    """Whether ``commit`` is the last commit of a review that gitexp made of the experiment ``name``."""
    return summary.is_of(next(first_parents(repo, commit)), name)


def _seal(work: Repository, ledger: Ledger, record: str) -> str:
    """Commit the record of the experiment; the id of that last commit."""
    base = work.line("rev-parse", "HEAD")
    _check_room(work, record)
    texts = {f"{record}/{RESULTS}": results_tsv(ledger), f"{record}/{NOTEBOOK}": experiment_md(ledger)}
    blobs = {path: work.line("hash-object", "-w", "--stdin", stdin=text.encode()) for path, text in texts.items()}
    tree = write_tree(work, work.tree_of(base), {path: Entry(REGULAR, blob) for path, blob in blobs.items()})
    date = work.line("log", "-1", *PLAIN_LOG, "--date=raw", "--format=%cd", ledger.tip)
    return commit_tree(work, tree, base, summary.to_message(ledger, base, tree), date)


def _check_room(work: Repository, record: str) -> None:
    """Raise GitexpError where a file stands in the place of the record's folder."""
    parts = record.split("/")
    for path in ("/".join(parts[:length]) for length in range(1, len(parts) + 1)):
        if path in entries(work, "HEAD", [path]):
            raise GitexpError(
                f"{visible(path)} is a file, and the record goes into the folder {record}.",
                f"git log -- {pathspec(path)}",
            )
