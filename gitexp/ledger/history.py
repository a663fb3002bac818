"""The ledger, read from the branch along first parents: once from the tip back to the baseline, then what is new."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.commits import first_parents, to_commit
from gitexp.git.repository import Repository
from gitexp.ledger import cache
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.lazy import FEW, stored
from gitexp.ledger.ledger import Ledger
from gitexp.ledger.noise import settled
from gitexp.ledger.scan import BranchScan, LedgerBuilder
from gitexp.model import BRANCH_PREFIX, Iteration, Status
from gitexp.paths import UnsafePathError, path_fault


def current_name(repo: Repository) -> str:
    """The name of the experiment whose branch is checked out."""
    branch = refs.current_branch(repo)
    if branch is None:
        raise GitexpError("HEAD is detached: no branch is checked out.", f"git switch {BRANCH_PREFIX}NAME")
    if not branch.startswith(BRANCH_PREFIX):
        raise GitexpError(f"The branch {branch} is not an experiment.", _way_to_one(repo))
    return branch.removeprefix(BRANCH_PREFIX)


def _way_to_one(repo: Repository) -> str:
    branches = [ref.removeprefix("refs/heads/") for ref in refs.matching(repo, f"refs/heads/{BRANCH_PREFIX}")]
    return f"git switch {branches[0]}" if len(branches) == 1 else f"git switch {BRANCH_PREFIX}NAME   # or: gitexp init"


def names(repo: Repository) -> list[str]:
    """The experiments there are: local branches first, then those that only a remote has."""
    branches = refs.matching(repo, f"refs/heads/{BRANCH_PREFIX}", f"refs/remotes/*/{BRANCH_PREFIX}**")
    return list(dict.fromkeys(ref.partition(f"/{BRANCH_PREFIX}")[2] for ref in branches))


def load(repo: Repository, name: str, at: str = "") -> Ledger:
    """The ledger of the experiment ``name``: of its local branch, or of a remote's, as a fresh clone has it.

    ``at`` is the tip where that is known. What was read before, by this process or another, is not read again.
    """
    commit, place = at or tip(repo, name), ExperimentFiles.of(repo, name)
    before = repo.remembered.get(name)
    known = _from(repo, before) if isinstance(before, Ledger) else cache.load(repo, place)
    ledger = known if known and known.tip == commit else (_gone_on(repo, known, commit) if known else None)
    ledger = ledger or read(repo, name, commit)
    _check_paths(ledger)
    if ledger is not known:
        cache.save(place, ledger)
    repo.remembered[name] = _from(None, ledger)
    return ledger


def _from(repo: Repository | None, ledger: Ledger) -> Ledger:
    """The same ledger, its iterations read from ``repo``."""
    return replace(ledger, iterations=stored(ledger.iterations).of(repo))


def _check_paths(ledger: Ledger) -> None:
    """A contract from elsewhere is hostile text: a path in it may lead out of the work tree."""
    for path in ledger.contract.paths:
        if fault := path_fault(path):
            branch = BRANCH_PREFIX + ledger.name
            raise UnsafePathError(
                f"The contract of {branch} names the path {path!r}, which is refused: {fault}.",
                f"gitexp fsck {quote(branch)}",
            )


def tip(repo: Repository, name: str) -> str:
    branch = BRANCH_PREFIX + name
    if commit := repo.resolve(f"refs/heads/{branch}"):
        return commit
    refs.check_readable(repo, branch)
    if remote := refs.matching(repo, f"refs/remotes/*/{branch}"):
        return next(iter(remote.values()))
    raise GitexpError(f"There is no experiment {name}: no branch {branch} here or on a remote.", "git branch -a")


def read(repo: Repository, name: str, tip: str) -> Ledger:
    """As :func:`load`, from git's commits alone."""
    scan, found = BranchScan(many=True), LedgerBuilder()
    for commit in first_parents(repo, tip):
        iteration = scan.take(commit)
        if iteration:
            found.add(commit, iteration)
        if iteration and iteration.contract:
            return found.ledger(repo, name, tip, scan, iteration.contract)
    raise GitexpError(
        f"{BRANCH_PREFIX}{name} holds no baseline: {_why_none(repo)}.",
        "git fetch --unshallow" if repo.is_shallow() else f"git reflog {BRANCH_PREFIX}{name}",
    )


def _gone_on(repo: Repository, known: Ledger, tip: str) -> Ledger | None:
    """The ledger at ``tip``, if that comes a few commits after the ``known`` one; in any doubt ``None``."""
    scan, iterations, oid = BranchScan(many=False), [], tip
    for _ in range(FEW):
        found = repo.object(oid)
        if found is None or found.kind != "commit":
            return None
        commit = to_commit(oid, found.data)
        iteration = scan.take(commit)
        if iteration and iteration.iteration:
            iterations.append(iteration.iteration)
        if not commit.parents or (iteration and iteration.contract):
            return None
        oid = commit.parents[0]
        if oid == known.tip:
            return None if scan.revert else _with(known, tip, scan, iterations[::-1])
    return None


def _with(known: Ledger, tip: str, scan: BranchScan, iterations: list[Iteration]) -> Ledger:
    """The ``known`` ledger and the iterations after it, oldest first."""
    scan.before(known.tree)
    notes = known.notes
    for iteration in iterations:
        notes = iteration.notes.over(notes)
    ledger = replace(
        known,
        tip=tip,
        tree=scan.tree,
        iterations=known.iterations.plus(iterations),
        notes=notes,
        sealed=scan.sealed or known.sealed,
        foreign_commits=(*scan.foreign_commits, *known.foreign_commits),
        hidden_trailers=(*scan.hidden_trailers, *known.hidden_trailers),
        remarks=(*known.remarks, *reversed(scan.remarks)),
    )
    if not any(iteration.status is Status.KEEP for iteration in iterations):
        return ledger
    made = [iteration.measurement.samples for iteration in ledger.iterations[max(0, known.pooled_noise.last) :]]
    return replace(ledger, pooled_noise=settled(ledger.pooled_noise, ledger.columns, made))


def _why_none(repo: Repository) -> str:
    if repo.is_shallow():
        return "this clone is shallow, and its history ends before the baseline"
    return "it was not made by gitexp init, or was rebased since (an iteration names its parent commit)"


def find(ledger: Ledger, identity: str) -> Iteration:
    """The iteration ``identity``: ``exp004``, or just ``4``."""
    wanted = f"exp{int(identity):03d}" if identity.isdecimal() else identity
    number, numbers = wanted.removeprefix("exp"), ledger.columns.numbers
    if number.isdecimal() and int(number) in numbers:
        found = ledger.iterations[numbers.index(int(number))]
        if found.id == wanted:
            return found
    last = ledger.iterations[-1].id
    raise GitexpError(f"There is no {wanted} in {BRANCH_PREFIX}{ledger.name}; the last is {last}.", "gitexp log")
