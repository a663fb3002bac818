"""The ledger, read from the branch along first parents: once from the tip back to the baseline, then what is new."""

from __future__ import annotations

from dataclasses import replace

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.commits import first_parents, to_commit
from gitexp.git.repository import Repository
from gitexp.git.status import tracked_changes
from gitexp.ledger import cache
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.lazy import FEW, stored
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import settled
from gitexp.ledger.scan import BranchScan, LedgerBuilder
from gitexp.model import BRANCH_PREFIX, Iteration, Status, identity
from gitexp.paths import UnsafePathError, path_fault
from gitexp.shell import command, git_command
from gitexp.text import visible


def current_name(repo: Repository) -> str:
    """The name of the experiment whose branch is checked out."""
    branch = refs.current_branch(repo)
    if branch is None:
        raise GitexpError("HEAD is detached: no branch is checked out.", f"git switch {BRANCH_PREFIX}NAME")
    if not branch.startswith(BRANCH_PREFIX):
        raise GitexpError(f"The branch {visible(branch)} is not an experiment.", _way_to_one(repo))
    return branch.removeprefix(BRANCH_PREFIX)


def _way_to_one(repo: Repository) -> str:
    branches = [ref.removeprefix("refs/heads/") for ref in refs.matching(repo, f"refs/heads/{BRANCH_PREFIX}")]
    switch = ("switch", "--merge") if tracked_changes(repo) else ("switch",)  # it takes edits along
    return (
        git_command(*switch, *branches)
        if len(branches) == 1
        else f"{git_command(*switch)} {BRANCH_PREFIX}NAME   # or: gitexp init"
    )


def names(repo: Repository) -> list[str]:
    """The experiments there are: local branches first, then those that only a remote has."""
    branches = refs.matching(repo, f"refs/heads/{BRANCH_PREFIX}", f"refs/remotes/*/{BRANCH_PREFIX}**")
    return list(dict.fromkeys(ref.partition(f"/{BRANCH_PREFIX}")[2] for ref in branches))


def load(repo: Repository, name: str, at: str = "") -> Ledger:
    """The ledger of the experiment ``name``: of its local branch, or of a remote's, as a fresh clone has it.

    ``at`` is the commit that the branch is at, where that is known. What this process or another has read before is not
    read again. Raises :class:`GitexpError` when there is no such experiment, or no baseline on its branch, and for a
    path in its contract that leads out of the work tree.
    """
    commit, place = at or tip(repo, name), ExperimentFiles.of(repo, name)
    remembered = repo.remembered.get(name)
    older = _read_from(repo, remembered) if isinstance(remembered, Ledger) else cache.load(repo, place)
    ledger = older if older and older.tip == commit else (_read_on(repo, older, commit) if older else None)
    ledger = ledger or read(repo, name, commit)
    _check_paths(ledger)
    if ledger is not older:
        cache.save(place, ledger)
    repo.remembered[name] = _read_from(None, ledger)
    return ledger


def _read_from(repo: Repository | None, ledger: Ledger) -> Ledger:
    """The same ledger, its iterations read from ``repo``."""
    return replace(ledger, iterations=stored(ledger.iterations).of(repo))


def _check_paths(ledger: Ledger) -> None:
    """A contract from elsewhere is hostile text: a path in it may lead out of the work tree."""
    for path in ledger.contract.paths:
        if fault := path_fault(path):
            branch = BRANCH_PREFIX + ledger.name
            raise UnsafePathError(
                f"The contract of {visible(branch)} names the path {path!r}, which is refused: {fault}.",
                command("gitexp", "fsck", branch),
            )


def tip(repo: Repository, name: str) -> str:
    """The commit at the end of an experiment's branch. Raises :class:`GitexpError` when there is no such branch."""
    branch = BRANCH_PREFIX + name
    if commit := repo.resolve(f"refs/heads/{branch}"):
        return commit
    refs.check_readable(repo, branch)
    if remote := refs.matching(repo, f"refs/remotes/*/{branch}"):
        return next(iter(remote.values()))
    raise GitexpError(
        f"There is no experiment {visible(name)}: no branch {visible(branch)} here or on a remote.", "git branch -a"
    )


def read(repo: Repository, name: str, tip: str) -> Ledger:
    """As :func:`load`, from git's commits alone."""
    scan, builder = BranchScan(many=True), LedgerBuilder()
    for commit in first_parents(repo, tip):
        iteration = scan.take(commit)
        if iteration:
            builder.add(commit, iteration)
        if iteration and iteration.contract:
            return builder.ledger(repo, name, tip, scan, iteration.contract)
    raise GitexpError(
        f"{visible(BRANCH_PREFIX + name)} holds no baseline: {_why_none(repo)}.",
        "git fetch --unshallow" if repo.is_shallow() else git_command("reflog", BRANCH_PREFIX + name),
    )


def _read_on(repo: Repository, older: Ledger, tip: str) -> Ledger | None:
    """The ledger at ``tip``, if that comes a few commits after the ``older`` one's; in any doubt ``None``."""
    scan, iterations, oid = BranchScan(many=False), [], tip
    for _ in range(FEW):
        stored_object = repo.object(oid)
        if stored_object is None or stored_object.kind != "commit":
            return None
        commit = to_commit(oid, stored_object.data)
        iteration = scan.take(commit)
        if iteration and iteration.iteration:
            iterations.append(iteration.iteration)
        if not commit.parents or (iteration and iteration.contract):
            return None
        oid = commit.parents[0]
        if oid == older.tip:
            return None if scan.revert else _extended(older, tip, scan, iterations[::-1])
    return None


def _extended(older: Ledger, tip: str, scan: BranchScan, iterations: list[Iteration]) -> Ledger:
    """The ``older`` ledger, and the iterations after it, oldest first."""
    scan.check_before(older.tree)
    notes = older.notes
    for iteration in iterations:
        notes = iteration.notes.over(notes)
    ledger = replace(
        older,
        tip=tip,
        tree=scan.tree,
        iterations=older.iterations.plus(iterations),
        notes=notes,
        sealed=scan.sealed or older.sealed,
        foreign_commits=(*scan.foreign_commits, *older.foreign_commits),
        hidden_trailers=(*scan.hidden_trailers, *older.hidden_trailers),
        remarks=(*older.remarks, *reversed(scan.remarks)),
    )
    if not any(iteration.status is Status.KEEP for iteration in iterations):
        return ledger
    since = max(0, older.pooled_noise.last)
    samples = [iteration.measurement.samples for iteration in ledger.iterations[since:]]
    return replace(ledger, pooled_noise=settled(ledger.pooled_noise, ledger.columns, samples))


def _why_none(repo: Repository) -> str:
    if repo.is_shallow():
        return "this clone is shallow, and its history ends before the baseline"
    return "it was not made by gitexp init, or was rebased since (an iteration names its parent commit)"


def find(ledger: Ledger, text: str) -> Iteration:
    """The iteration that a person names: ``exp004``, or just ``4``. Raises :class:`GitexpError` when there is none."""
    wanted = identity(int(text)) if text.isdecimal() and len(text) < 10 else text
    if iteration := ledger.named(wanted):
        return iteration
    last = ledger.iterations[-1].id
    raise GitexpError(
        f"There is no {visible(wanted)} in {visible(BRANCH_PREFIX + ledger.name)}; the last is {last}.", "gitexp log"
    )
