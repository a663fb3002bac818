"""This clone under audit: its objects, what killed processes left in it, its cache, its hook and its views."""

from __future__ import annotations

from collections.abc import Iterator

from gitexp.fsck.finding import Finding
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.iteration import stale_locks
from gitexp.iteration.status import pending
from gitexp.ledger import cache
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import NOTEBOOK, RESULTS, Notes
from gitexp.run import hooks
from gitexp.shell import command
from gitexp.text import short
from gitexp.views import notebook, on_disk
from gitexp.views.experiment_md import experiment_md
from gitexp.views.results_tsv import results_tsv


def check_objects(repo: Repository, *revisions: str) -> Iterator[Finding]:
    """Whether every object of the commits that ``revisions`` name is here, in the words of ``git rev-list``."""
    out = repo.line("rev-list", "--objects", "--missing=print", *revisions)
    missing = [line[1:] for line in out.splitlines() if line.startswith("?")]
    if missing and repo.is_partial():
        sentence = f"This clone is partial: {len(missing)} objects of these commits are missing and were not checked."
        yield Finding("partial", sentence, "git clone URL   # without --filter; then here: gitexp fsck")
        return
    for oid in missing:
        yield Finding("missing-object", f"The object {oid} is missing.", "git fsck   # then fetch it from a clone")


def check_shallow(repo: Repository, revisions: tuple[str, ...]) -> Iterator[Finding]:
    """Whether the commits that ``revisions`` name are cut off, as this clone is shallow."""
    if not (ends := repo.shallow_commits()):
        return
    if cut := sorted(ends & set(repo.line("rev-list", *revisions).splitlines())):
        sentence = f"This clone is shallow: the commits before {short(cut[0])} are missing and were not checked."
        yield Finding("shallow", sentence, "git fetch --unshallow   # in a workflow: fetch-depth: 0")


def check_leftovers(repo: Repository, place: ExperimentFiles) -> Iterator[Finding]:
    """Whether a gitexp or a git that died left a step, a ref or a lock."""
    step = pending(repo, place)
    if step and not step.holder:
        yield Finding("pending", f"{place.branch}: {step}.", "gitexp recover")
    if refs.is_unreadable(repo, place.ref):
        yield Finding("pending-ref", f"{place.ref} is unreadable.", "gitexp recover")
    if not step or not step.holder:
        for lock in stale_locks.present(repo, place):
            yield Finding("lock", f"The lock {lock} is in the way.", f"{command('rm', lock)}   # when no git runs here")


def check_cache(repo: Repository, place: ExperimentFiles, ledger: Ledger) -> Iterator[Finding]:
    """Whether the cached history agrees with the ledger that was read from the commits."""
    cached = cache.load(repo, place)
    if cached and not cache.agrees(cached, ledger):
        yield Finding("cache", "The cached history differs from the commits.", "gitexp render --full")


def check_work_tree(repo: Repository, place: ExperimentFiles, ledger: Ledger) -> Iterator[Finding]:
    """Whether the hook and the views are the experiment's, where they exist: a fresh clone has none."""
    path = repo.hook_path(hooks.NAME)
    if path.is_file() and hooks.blob(repo, path) != ledger.contract.hook:
        yield Finding("hook", f"{path} is not the hook that measured the baseline.", "gitexp hook")
    edits = on_disk.unsealed(repo, place, ledger.contract.home)
    expected = {RESULTS: results_tsv(ledger), NOTEBOOK: experiment_md(ledger, edits if edits != Notes() else None)}
    for name, text in expected.items():
        file = repo.top / ledger.contract.home / name
        if file.exists() and notebook.read(file) != text:
            yield Finding("views", f"{name} differs from what the history gives.", "gitexp render")
