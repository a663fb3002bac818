"""The branch ``review/<name>``: the KEEPs alone, and one last commit with the record of the whole experiment.

It is gitexp's own, and is made anew each time: the same history gives the same commits, as long as nothing signs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from gitexp.errors import GitexpError
from gitexp.git.commits import commit_tree, first_parents
from gitexp.git.driver import PLAIN_LOG
from gitexp.git.objects import REGULAR, Entry, entries, write_tree
from gitexp.git.repository import Repository
from gitexp.git.worktree import pathspec
from gitexp.ledger import summary
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, NOTEBOOK, RECORDS, RESULTS
from gitexp.review.pick import ConflictError, Picked, check_unused, choose, move, replay
from gitexp.review.temporary_worktree import scratch
from gitexp.text import short
from gitexp.views.experiment_md import experiment_md
from gitexp.views.results_tsv import results_tsv

PREFIX = "review/"
OTHER_BASE = "gitexp pr --base BRANCH"


@dataclass(frozen=True, slots=True)
class Review:
    branch: str
    old: str | None  # its tip before
    start: str  # the merge base, where it begins
    tip: str
    picks: tuple[Picked, ...]
    record: str  # the folder that holds results.tsv and EXPERIMENT.md


def refresh(repo: Repository, ledger: Ledger, base: str) -> Review:
    """Make ``review/<name>`` from the merge base of ``base`` and the experiment, or make it anew.

    Raises, with nothing moved, when somebody committed to it or has it checked out, or when a KEEP does not apply.
    """
    branch, record = PREFIX + ledger.name, f"{RECORDS}/{ledger.name}"
    old = repo.resolve(f"refs/heads/{branch}")
    start = _merge_base(repo, ledger, base)
    check_unused(repo, branch)
    if old and not is_ours(repo, old, ledger.name):
        raise GitexpError(
            f"{branch} ends with a commit that gitexp did not make: {repo.line('log', '-1', '--format=%h %s', old)}.",
            f"git branch -m {quote(branch)} {quote(branch + '-mine')}   # keeps it; then again",
        )
    chosen = choose(repo, ledger)
    with scratch(repo, start) as work:
        try:
            picks = replay(work, ledger, chosen, base, dated=True)
        except ConflictError as conflict:
            began = f"{BRANCH_PREFIX}{ledger.name} began at {short(ledger.baseline.base)}"
            raise GitexpError(
                f"{conflict.sentence} {began}, and {base} has its history up to {short(start)} only.",
                f"{OTHER_BASE}   # with the branch that it was begun on",
            ) from None
        tip = _seal(work, ledger, record)
        if tip != old:
            check_unused(repo, branch)
            move(repo, branch, tip, old, f"gitexp pr: {ledger.iterations[-1].id}")
    return Review(branch, old, start, tip, picks, record)


def default_base(repo: Repository) -> str:
    """The branch that work is merged into: the one that origin's HEAD names, or main, or master."""
    theirs = repo.lookup("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD", none=1) or ""
    names = filter(None, (theirs.removeprefix("refs/remotes/origin/"), "main", "master"))
    for branch in (form for name in names for form in (name, f"origin/{name}")):
        if repo.resolve(branch):
            return branch
    raise GitexpError("There is no branch main here, nor origin's.", OTHER_BASE)


def _merge_base(repo: Repository, ledger: Ledger, base: str) -> str:
    if repo.resolve(base) is None:
        raise GitexpError(f"There is no branch {base} here.", OTHER_BASE)
    found = repo.lookup("merge-base", base, ledger.tip)
    if found is None:
        raise GitexpError(f"{base} and {BRANCH_PREFIX}{ledger.name} have no history in common.", OTHER_BASE)
    if found == ledger.tip:
        raise GitexpError(f"All of {BRANCH_PREFIX}{ledger.name} is on {base}: nothing is left to review.", OTHER_BASE)
    return found


def is_ours(repo: Repository, commit: str, name: str) -> bool:
    """Whether a review of this experiment that ends with ``commit`` is as gitexp made it."""
    return summary.is_of(next(first_parents(repo, commit)), name)


def _seal(work: Repository, ledger: Ledger, record: str) -> str:
    """The last commit's id."""
    base = work.line("rev-parse", "HEAD")
    _check_room(work, record)
    texts = {f"{record}/{RESULTS}": results_tsv(ledger), f"{record}/{NOTEBOOK}": experiment_md(ledger)}
    blobs = {path: work.line("hash-object", "-w", "--stdin", stdin=text.encode()) for path, text in texts.items()}
    tree = write_tree(work, work.tree_of(base), {path: Entry(REGULAR, blob) for path, blob in blobs.items()})
    date = work.line("log", "-1", *PLAIN_LOG, "--date=raw", "--format=%cd", ledger.tip)
    return commit_tree(work, tree, base, summary.to_message(ledger, base, tree), date)


def _check_room(work: Repository, record: str) -> None:
    """A file where the record's folder must be is somebody's."""
    parts = record.split("/")
    for path in ("/".join(parts[:length]) for length in range(1, len(parts) + 1)):
        if path in entries(work, "HEAD", [path]):
            raise GitexpError(
                f"{path} is a file, and the record goes into the folder {record}.", f"git log -- {pathspec(path)}"
            )
