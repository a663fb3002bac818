"""KEEPs taken to another branch: cherry-picked in a scratch work tree, the branch moved once, at the very end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from shlex import quote

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.diff import patch_ids
from gitexp.git.driver import NO_HOOKS, PLAIN_LOG, GitCommandError
from gitexp.git.linked_worktrees import user_of
from gitexp.git.provenance import picked_commits, reverted_commits
from gitexp.git.repository import Repository
from gitexp.git.status import operation, tracked_changes
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Iteration, Status
from gitexp.review.conflict import explain, unmerged
from gitexp.review.temporary_worktree import scratch
from gitexp.signals import signals_wait
from gitexp.text import short

# A user's ways with messages (what is a comment, what a trailer, what is cleaned up) must not cost one its trailers.
_AS_IT_IS = ("-c", "core.commentChar=#", "-c", "trailer.separators=:", "-c", "rerere.enabled=false")


class ConflictError(GitexpError):
    """Some iterations do not apply. ``wanted``: all that would have to be named; empty when naming more is no help."""

    def __init__(self, sentence: str, wanted: tuple[Iteration, ...] = ()) -> None:
        super().__init__(sentence)
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Picked:
    """What became of one iteration."""

    iteration: Iteration
    commit: str  # its copy; of one that was skipped what is there of it already, empty when no one commit is
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class PickResult:
    branch: str
    old: str | None  # where the branch was; None: there was none
    start: str  # what was picked onto
    tip: str
    picks: tuple[Picked, ...]


def choose(repo: Repository, ledger: Ledger, identities: Iterable[str] = ()) -> tuple[Iteration, ...]:
    """The iterations named, or all KEEPs but the baseline; in the order in which they were made.

    A baseline that holds files of its own (``init --template``, or edits that were not committed) goes along: it is
    what the others are edits of.
    """
    named = {history.find(ledger, identity).id for identity in identities}
    chosen = [i for i in ledger.iterations if (i.id in named if named else i.status is Status.KEEP and not i.contract)]
    if not chosen:
        raise GitexpError(f"{BRANCH_PREFIX}{ledger.name} has no KEEP but its baseline.", "gitexp log")
    baseline = ledger.baseline
    if baseline not in chosen and repo.tree_of(baseline.base) != baseline.tree:
        chosen.insert(0, baseline)
    return tuple(chosen)


def pick(
    repo: Repository,
    ledger: Ledger,
    identities: Iterable[str],
    branch: str,
    check: Callable[[Repository], None] | None = None,
) -> PickResult:
    """Copy iterations onto ``branch``, which is made where the experiment began if there is none.

    ``check`` may look at the result in its work tree, and raise. Whatever raises: then nothing is moved.
    """
    branch = branch.removeprefix("refs/heads/")
    _check_name(repo, branch)
    check_unused(repo, branch)
    old = repo.resolve(f"refs/heads/{branch}")
    start = old or _beginning(repo, ledger, branch)
    chosen = choose(repo, ledger, identities)
    with scratch(repo, start) as work:
        try:
            picks = replay(work, ledger, chosen, branch)
        except ConflictError as conflict:
            raise GitexpError(conflict.sentence, _way_out(repo, ledger, conflict, chosen, branch)) from None
        tip = work.line("rev-parse", "HEAD")
        if tip != start:
            if check:
                check(work)
            check_unused(repo, branch)
            names = ", ".join(pick.iteration.id for pick in picks if not pick.skipped)
            move(repo, branch, tip, old, f"gitexp pick: {names}")
    return PickResult(branch, old, start, tip, picks)


def _check_name(repo: Repository, branch: str) -> None:
    if repo.lookup("check-ref-format", "--branch", branch, none=128) != branch:
        raise GitexpError(f"{branch!r} is no name of a branch.", "gitexp pick --onto BRANCH")
    if branch.startswith(BRANCH_PREFIX):
        raise GitexpError(f"{branch} is an experiment: its commits are made by steps.", "gitexp pick --onto BRANCH")


def _beginning(repo: Repository, ledger: Ledger, branch: str) -> str:
    """Where a new branch starts: at the commit that the baseline was made on."""
    if theirs := repo.line("for-each-ref", "--format=%(refname:short)", f"refs/remotes/*/{branch}").splitlines():
        raise GitexpError(
            f"There is no branch {branch} here, but {theirs[0]}.", f"git branch {quote(branch)} {quote(theirs[0])}"
        )
    return ledger.baseline.base


def check_unused(repo: Repository, branch: str) -> None:
    """A branch that somebody has checked out is not moved under their feet."""
    folder = user_of(repo, branch)
    if folder is None:
        return
    way_out = f"git -C {quote(str(folder))} switch --detach   # then again; after that: switch {quote(branch)}"
    if not folder.exists():
        way_out = "git worktree prune   # that folder is gone"
    raise GitexpError(f"{branch} is checked out in {folder}, and would move under it.", way_out)


def move(repo: Repository, branch: str, tip: str, old: str | None, reason: str) -> None:
    """The only commit point. Raises when the branch is not where it was any more."""
    ref = f"refs/heads/{branch}"
    with signals_wait():
        refs.update(repo, reason, f"update {ref} {tip} {old}" if old else f"create {ref} {tip}")


def _way_out(
    repo: Repository, ledger: Ledger, conflict: ConflictError, chosen: tuple[Iteration, ...], branch: str
) -> str:
    if conflict.wanted:
        elsewhere = "" if refs.current_branch(repo) == BRANCH_PREFIX + ledger.name else f" -e {quote(ledger.name)}"
        return f"gitexp pick{elsewhere} {' '.join(i.id for i in conflict.wanted)} --onto {quote(branch)}"
    commits = " ".join(short(i.commit) for i in chosen)
    known = refs.read(repo, f"refs/heads/{branch}")
    switch = quote(branch) if known else f"-c {quote(branch)} {short(ledger.baseline.base)}"
    return f"git switch {switch} && git cherry-pick -x {commits}   # and resolve it by hand"


# -- the copies --------------------------------------------------------------------------------------------------------


def replay(
    work: Repository, ledger: Ledger, chosen: tuple[Iteration, ...], onto: str, dated: bool = False
) -> tuple[Picked, ...]:
    """Copy iterations onto what a scratch work tree has checked out; ``onto`` is what people call that.

    ``dated``: the copies are as old as the originals, so that the same iterations give the same commits.
    Raises :class:`ConflictError` when one does not apply.
    """
    start = work.line("rev-parse", "HEAD")
    present = _present(work, ledger, start)
    wanted, reasons = chosen, list[str]()
    while isinstance(done := _try(work, wanted, present, dated), Iteration):
        missing = [i for i in ledger.iterations if i not in wanted and i.id not in present]
        why, needed = explain(work, ledger, done, missing, onto)
        work.run("cherry-pick", "--abort")
        reasons.append(why)
        if not needed:
            raise ConflictError(f"{'; '.join(reasons)}.")
        wanted = tuple(i for i in ledger.iterations if i in wanted or i in needed)
        work.run(*NO_HOOKS, "switch", "--quiet", "--detach", start)
    if reasons:
        raise ConflictError(f"{'; '.join(reasons)}.", wanted)
    return done


def _try(
    work: Repository, wanted: tuple[Iteration, ...], present: dict[str, str], dated: bool
) -> tuple[Picked, ...] | Iteration:
    """The copies of ``wanted``, or the one of them that does not apply: its conflict is then in the work tree."""
    picks: list[Picked] = []
    for iteration in wanted:
        there = present.get(iteration.id)
        pick = Picked(iteration, there, skipped=True) if there else _copy(work, iteration, dated)
        if pick is None:
            return iteration
        picks.append(pick)
    return tuple(picks)


def _copy(work: Repository, iteration: Iteration, dated: bool) -> Picked | None:
    """What ``git cherry-pick -x`` makes of an iteration; ``None`` when there are conflicts."""
    date = work.line("log", "-1", *PLAIN_LOG, "--date=raw", "--format=%cd", iteration.commit)
    command = (*NO_HOOKS, *_AS_IT_IS, "cherry-pick", "-x", "--cleanup=verbatim", iteration.commit)
    try:
        work.run(*command, env={"GIT_COMMITTER_DATE": date} if dated else None)
    except GitCommandError as error:
        if error.code != 1 or operation(work) != "cherry-pick":
            raise
        if unmerged(work):
            return None
        if tracked_changes(work):  # it applied, and could not be committed: it could not be signed, say
            raise
        work.run("cherry-pick", "--abort")
        return Picked(iteration, "", skipped=True)
    return Picked(iteration, work.line("rev-parse", "HEAD"))


def _present(repo: Repository, ledger: Ledger, start: str) -> dict[str, str]:
    """By iteration that the history of ``start`` has already: the commit, a copy by its own word, or the same edit."""
    since = f"{ledger.baseline.base}..{start}"
    log = repo.run("log", "-z", *PLAIN_LOG, "--format=%H%n%B", since, "--")
    records = (record.partition(b"\n") for record in log.split(b"\0") if record)
    messages = {oid.decode("ascii"): message for oid, _, message in records}
    undone = {oid for message in messages.values() for oid in reverted_commits(message)}
    holds_against = {oid: message for oid, message in messages.items() if oid not in undone}
    copies = {original: oid for oid, message in holds_against.items() for original in picked_commits(message)}
    edits = _edits(repo, since, ledger) if holds_against else {}
    edits = {patch: oid for patch, oid in edits.items() if oid in holds_against.keys() - copies.values()}
    found: dict[str, str] = {}
    for i in ledger.iterations:
        if there := i.commit if i.commit in holds_against else copies.get(i.commit):
            found[i.id] = there
        elif edits and (patch := _patch(repo, i)) in edits:
            found[i.id] = edits.pop(patch)  # the same edit may have been made twice
    return found


def _patch(repo: Repository, iteration: Iteration) -> str:
    if not iteration.contract:
        return iteration.candidate.patch
    return patch_ids(repo, f"{iteration.commit}\n".encode()).get(iteration.commit, "")


def _edits(repo: Repository, since: str, ledger: Ledger) -> dict[str, str]:
    """The commits that change a file of the experiment's, by git's patch id."""
    paths = (*ledger.contract.edit, *(frozen.path for frozen in ledger.contract.freeze))
    commits = repo.run("rev-list", "--no-merges", since, "--", *paths)
    return {patch: oid for oid, patch in patch_ids(repo, commits).items()}
