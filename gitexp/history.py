"""The ledger, read from the branch: one ``git log`` along first parents, from the tip back to the baseline."""

from __future__ import annotations

from shlex import quote

from gitexp import records, trailers
from gitexp.errors import GitexpError
from gitexp.git import Commit, Repository
from gitexp.model import BRANCH_PREFIX, Iteration, Ledger, Notes, Remark, Status
from gitexp.text import from_bytes, printable
from gitexp.trailers import Message


def current_name(repo: Repository) -> str:
    """The name of the experiment whose branch is checked out."""
    branch = repo.branch()
    if branch is None:
        raise GitexpError("HEAD is detached: no branch is checked out.", f"git switch {BRANCH_PREFIX}NAME")
    if not branch.startswith(BRANCH_PREFIX):
        raise GitexpError(f"The branch {branch} is not an experiment.", _way_to_one(repo))
    return branch.removeprefix(BRANCH_PREFIX)


def _way_to_one(repo: Repository) -> str:
    names = repo.line("for-each-ref", "--format=%(refname:short)", f"refs/heads/{BRANCH_PREFIX}").splitlines()
    return f"git switch {names[0]}" if len(names) == 1 else f"git switch {BRANCH_PREFIX}NAME   # or: gitexp init"


def names(repo: Repository) -> list[str]:
    """The experiments there are: local branches first, then those that only a remote has."""
    patterns = (f"refs/heads/{BRANCH_PREFIX}", f"refs/remotes/*/{BRANCH_PREFIX}**")
    refs = repo.line("for-each-ref", "--format=%(refname)", *patterns).splitlines()
    return list(dict.fromkeys(ref.partition(f"/{BRANCH_PREFIX}")[2] for ref in refs))


def load(repo: Repository, name: str) -> Ledger:
    """The ledger of the experiment ``name``: of its local branch, or of a remote's, as a fresh clone has it."""
    return read(repo, name, tip(repo, name))


def tip(repo: Repository, name: str) -> str:
    branch = BRANCH_PREFIX + name
    found = repo.resolve(f"refs/heads/{branch}")
    if found is None:
        _check_readable(repo, branch)
        found = repo.line("for-each-ref", "--count=1", "--format=%(objectname)", f"refs/remotes/*/{branch}")
    if not found:
        raise GitexpError(f"There is no experiment {name}: no branch {branch} here or on a remote.", "git branch -a")
    return found


def _check_readable(repo: Repository, branch: str) -> None:
    """A ref that a power cut emptied stands in git's reflog still."""
    ref = f"refs/heads/{branch}"
    if not repo.unreadable(ref):
        return
    log = repo.common_dir / "logs" / ref
    last = log.read_text("utf-8", "replace").splitlines()[-1:] if log.is_file() else []
    tip = last[0].split(" ")[1] if last else "COMMIT"
    raise GitexpError(
        f"The branch {branch} is unreadable: {repo.common_dir / ref} holds no commit id.",
        f"rm {quote(str(repo.common_dir / ref))} && git branch {branch} {tip[:10]}",
    )


def read(repo: Repository, name: str, tip: str) -> Ledger:
    iterations: list[Iteration] = []
    strangers: list[str] = []
    displaced: list[str] = []
    remarks: list[Remark] = []
    sealed = ""
    revert: Commit | None = None  # one whose iteration must come next
    undone: Commit | None = None  # one whose iteration came: the next commit must be of its tree
    for commit in repo.first_parent_log(tip):
        message = trailers.read(commit.message)
        iteration = _own(records.from_message(message, commit.oid), commit)
        if undone and undone.tree != commit.tree:
            strangers.append(_short(undone))
        undone = None
        if revert:
            if iteration and iteration.status is not Status.KEEP:
                undone = revert
                sealed = sealed or revert.oid
            else:
                strangers.append(_short(revert))
            revert = None
        if iteration:
            iterations.append(iteration)
            sealed = sealed or commit.oid
            displaced += [iteration.id] if message.displaced else []
            if iteration.contract:
                return _ledger(name, tip, sealed, iterations, strangers, displaced, remarks)
        elif remark := _remark(message, commit):
            remarks.append(remark)
            sealed = sealed or commit.oid
        elif _is_revert(commit):
            revert = commit
        else:
            strangers.append(_short(commit))
    raise GitexpError(
        f"{BRANCH_PREFIX}{name} holds no baseline: {_why_none(repo)}.",
        "git fetch --unshallow" if repo.is_shallow() else f"git reflog {BRANCH_PREFIX}{name}",
    )


def _why_none(repo: Repository) -> str:
    if repo.is_shallow():
        return "this clone is shallow, and its history ends before the baseline"
    return "it was not made by gitexp init, or was rebased since (an iteration names its parent commit)"


def _own(iteration: Iteration | None, commit: Commit) -> Iteration | None:
    """The iteration, if this commit is the one that was sealed: not a copy of it elsewhere, and not amended since."""
    if iteration and commit.parents[:1] == (iteration.base,) and commit.tree == iteration.tree:
        return iteration
    return None


def _remark(message: Message, commit: Commit) -> Remark | None:
    remark = records.remark_from(message, commit.oid)
    return remark if remark and commit.parents[:1] == (remark.base,) else None


def _is_revert(commit: Commit) -> bool:
    """By git's own wording."""
    return commit.message.startswith(b'Revert "exp') and b"\n\nThis reverts commit " in commit.message


def _short(commit: Commit) -> str:
    return f"{commit.oid[:10]} {printable(from_bytes(commit.message.partition(bytes([10]))[0]))}"


def _ledger(
    name: str,
    tip: str,
    sealed: str,
    newest_first: list[Iteration],
    strangers: list[str],
    displaced: list[str],
    remarks: list[Remark],
) -> Ledger:
    iterations = tuple(reversed(newest_first))
    contract = iterations[0].contract
    assert contract
    notes = Notes()
    for iteration in iterations:
        notes = iteration.notes.over(notes)
    return Ledger(
        name, tip, contract, iterations, notes, sealed, tuple(strangers), tuple(displaced), tuple(remarks[::-1])
    )


def find(ledger: Ledger, identity: str) -> Iteration:
    """The iteration ``identity``: ``exp004``, or just ``4``."""
    wanted = f"exp{int(identity):03d}" if identity.isdecimal() else identity
    for iteration in ledger.iterations:
        if iteration.id == wanted:
            return iteration
    last = ledger.iterations[-1].id
    raise GitexpError(f"There is no {wanted} in {BRANCH_PREFIX}{ledger.name}; the last is {last}.", "gitexp log")
