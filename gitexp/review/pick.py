"""KEEPs on another branch: cherry-picked in a temporary work tree; the branch moves once, at the very end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gitexp.errors import GitexpError
from gitexp.git import moved_refs, refs
from gitexp.git.diff import patch_ids
from gitexp.git.driver import NO_HOOKS, PLAIN_LOG, GitCommandError
from gitexp.git.linked_worktrees import user_of
from gitexp.git.provenance import picked_commits, reverted_commits
from gitexp.git.repository import Repository
from gitexp.git.scratch import scratch_tree
from gitexp.git.status import operation, tracked_changes
from gitexp.ledger import history
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Iteration, Status
from gitexp.review.conflict import explain, unmerged
from gitexp.shell import git_command, word
from gitexp.signals import signals_wait
from gitexp.text import short, visible

# A user's settings for messages (comments, trailers, clean-up) must not cost a message its trailers.
_VERBATIM = ("-c", "core.commentChar=#", "-c", "trailer.separators=:", "-c", "rerere.enabled=false")


class ConflictError(GitexpError):
    """Some iterations do not apply.

    ``wanted``: all iterations that must be named to make them apply; empty where naming more would not help.
    """

    def __init__(self, sentence: str, wanted: tuple[Iteration, ...] = ()) -> None:
        super().__init__(sentence)
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Picked:
    """An iteration, and its commit on the other branch."""

    iteration: Iteration
    commit: str  # empty where the iteration was skipped and no single commit holds its changes
    skipped: bool = False  # the branch had the changes already


@dataclass(frozen=True, slots=True)
class PickResult:
    """A branch with picked iterations."""

    branch: str
    old: str | None  # its tip before; None for a new branch
    start: str  # the commit that the first pick was put on
    tip: str
    picks: tuple[Picked, ...]


def choose(repo: Repository, ledger: Ledger, identities: Iterable[str] = ()) -> tuple[Iteration, ...]:
    """The iterations named, or all KEEPs but the baseline, oldest first.

    A baseline that holds files of its own (``init --template``, or edits that were not committed) goes along, as the
    others are edits of it. Raises GitexpError where there is no KEEP.
    """
    named = {history.find(ledger, identity).id for identity in identities}
    chosen = [i for i in ledger.iterations if (i.id in named if named else i.status is Status.KEEP and not i.contract)]
    if not chosen:
        raise GitexpError(f"{visible(BRANCH_PREFIX + ledger.name)} has no KEEP but its baseline.", "gitexp log")
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
    """Cherry-pick iterations onto ``branch``; a new branch starts where the experiment began.

    ``check`` is given the work tree with the result. Where it raises, or an iteration does not apply, no branch moves.
    """
    branch = branch.removeprefix("refs/heads/")
    _check_name(repo, branch)
    check_unused(repo, branch)
    old = repo.resolve(f"refs/heads/{branch}")
    start = old or _beginning(repo, ledger, branch)
    chosen = choose(repo, ledger, identities)
    with scratch_tree(repo, start) as work:
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
            move(repo, branch, tip, old, start, f"gitexp pick: {names}")
    return PickResult(branch, old, start, tip, picks)


def _check_name(repo: Repository, branch: str) -> None:
    if repo.lookup("check-ref-format", "--branch", branch, none=128) != branch:
        raise GitexpError(f"{branch!r} is not a branch name.", "gitexp pick --onto BRANCH")
    if branch.startswith(BRANCH_PREFIX):
        raise GitexpError(
            f"{visible(branch)} is an experiment: its commits are made by steps.", "gitexp pick --onto BRANCH"
        )


def _beginning(repo: Repository, ledger: Ledger, branch: str) -> str:
    """Where a new branch starts: at the commit below the baseline."""
    if theirs := repo.line("for-each-ref", "--format=%(refname:short)", f"refs/remotes/*/{branch}").splitlines():
        raise GitexpError(
            f"There is no branch {visible(branch)} here, but {visible(theirs[0])}.",
            git_command("branch", branch, theirs[0]),
        )
    return ledger.baseline.base


def check_unused(repo: Repository, branch: str) -> None:
    """Raise GitexpError for a branch that somebody has checked out: it must not move under their feet."""
    folder = user_of(repo, branch)
    if folder is None:
        return
    way_out = f"{git_command('-C', folder, 'switch', '--detach')}   # then again; after that: switch {word(branch)}"
    if not folder.exists():
        way_out = "git worktree prune   # that folder is gone"
    raise GitexpError(f"{visible(branch)} is checked out in {visible(str(folder))}, and would move under it.", way_out)


def move(repo: Repository, branch: str, tip: str, old: str | None, start: str, reason: str) -> None:
    """Move a branch: the only commit point. Raises GitexpError where its tip is not ``old`` any more."""
    with signals_wait():
        moved_refs.move(repo, reason, f"refs/heads/{branch}", tip, old, start)


def _way_out(
    repo: Repository, ledger: Ledger, conflict: ConflictError, chosen: tuple[Iteration, ...], branch: str
) -> str:
    if conflict.wanted:
        elsewhere = "" if refs.current_branch(repo) == BRANCH_PREFIX + ledger.name else f" -e {word(ledger.name)}"
        return f"gitexp pick{elsewhere} {' '.join(i.id for i in conflict.wanted)} --onto {word(branch)}"
    commits = " ".join(short(i.commit) for i in chosen)
    exists = refs.read(repo, f"refs/heads/{branch}")
    switch = word(branch) if exists else f"-c {word(branch)} {short(ledger.baseline.base)}"
    return f"git switch {switch} && git cherry-pick -x {commits}   # and resolve the conflict by hand"


# -- the copies --------------------------------------------------------------------------------------------------------


def replay(
    work: Repository, ledger: Ledger, chosen: tuple[Iteration, ...], onto: str, dated: bool = False
) -> tuple[Picked, ...]:
    """Cherry-pick iterations onto the commit that a temporary work tree has checked out; sentences call it ``onto``.

    ``dated`` gives the copies the dates of the originals, so that the same iterations give the same commits.
    Raises :class:`ConflictError` where an iteration does not apply.
    """
    start = work.line("rev-parse", "HEAD")
    present = _present(work, ledger, start)
    wanted, reasons = chosen, list[str]()
    while isinstance(picks := _try(work, wanted, present, dated), Iteration):
        missing = [i for i in ledger.iterations if i not in wanted and i.id not in present]
        why, needed = explain(work, ledger, picks, missing, onto)
        work.run("cherry-pick", "--abort")
        reasons.append(why)
        if not needed:
            raise ConflictError(f"{'; '.join(reasons)}.")
        wanted = tuple(i for i in ledger.iterations if i in wanted or i in needed)
        work.run(*NO_HOOKS, "switch", "--quiet", "--detach", start)
    if reasons:
        raise ConflictError(f"{'; '.join(reasons)}.", wanted)
    return picks


def _try(
    work: Repository, wanted: tuple[Iteration, ...], present: dict[str, str], dated: bool
) -> tuple[Picked, ...] | Iteration:
    """The picks of ``wanted``, or the iteration that does not apply, with its conflict in the work tree."""
    picks: list[Picked] = []
    for iteration in wanted:
        commit = present.get(iteration.id)
        pick = Picked(iteration, commit, skipped=True) if commit else _copy(work, iteration, dated)
        if pick is None:
            return iteration
        picks.append(pick)
    return tuple(picks)


def _copy(work: Repository, iteration: Iteration, dated: bool) -> Picked | None:
    """Cherry-pick an iteration with ``-x``; ``None`` where there are conflicts."""
    date = work.line("log", "-1", *PLAIN_LOG, "--date=raw", "--format=%cd", iteration.commit)
    command = (*NO_HOOKS, *_VERBATIM, "cherry-pick", "-x", "--cleanup=verbatim", iteration.commit)
    try:
        work.run(*command, env={"GIT_COMMITTER_DATE": date} if dated else None)
    except GitCommandError as error:
        if error.code != 1 or operation(work) != "cherry-pick":
            raise
        if unmerged(work):
            return None
        if tracked_changes(work):  # it applied and could not be committed, perhaps because it could not be signed
            raise
        work.run("cherry-pick", "--abort")
        return Picked(iteration, "", skipped=True)
    return Picked(iteration, work.line("rev-parse", "HEAD"))


def _present(repo: Repository, ledger: Ledger, start: str) -> dict[str, str]:
    """By id, the commit of each iteration that the history of ``start`` has already and does not revert.

    Such a commit is the iteration itself, a copy that names it (``cherry-pick -x``), or one with the same edit.
    """
    since = f"{ledger.baseline.base}..{start}"
    log = repo.run("log", "-z", *PLAIN_LOG, "--format=%H%n%B", since, "--")
    records = (record.partition(b"\n") for record in log.split(b"\0") if record)
    messages = {oid.decode("ascii"): message for oid, _, message in records}
    reverted = {oid for message in messages.values() for oid in reverted_commits(message)}
    valid = {oid: message for oid, message in messages.items() if oid not in reverted}
    copies = {original: oid for oid, message in valid.items() for original in picked_commits(message)}
    edits = _edits(repo, since, ledger) if valid else {}
    edits = {patch: oid for patch, oid in edits.items() if oid in valid.keys() - copies.values()}
    present: dict[str, str] = {}
    for i in ledger.iterations:
        if commit := i.commit if i.commit in valid else copies.get(i.commit):
            present[i.id] = commit
        elif edits and (patch := _patch(repo, i)) in edits:
            present[i.id] = edits.pop(patch)  # two iterations may have made the same edit
    return present


def _patch(repo: Repository, iteration: Iteration) -> str:
    if not iteration.contract:
        return iteration.candidate.patch
    return patch_ids(repo, f"{iteration.commit}\n".encode()).get(iteration.commit, "")


def _edits(repo: Repository, since: str, ledger: Ledger) -> dict[str, str]:
    """By git's patch id, the commits that change a file of the contract."""
    paths = (*ledger.contract.edit, *(frozen.path for frozen in ledger.contract.freeze))
    commits = repo.run("rev-list", "--no-merges", since, "--", *paths)
    return {patch: oid for oid, patch in patch_ids(repo, commits).items()}
