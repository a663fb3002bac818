"""What a step is refused for before anything is run: nothing is recorded, and the edit stays where it is."""

from __future__ import annotations

from itertools import count

from gitexp.errors import BreakerOpenError, GitexpError, NotNewError
from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.git.worktree import check_frozen, covers, edited_paths
from gitexp.iteration.journal import Snapshot
from gitexp.ledger import history
from gitexp.ledger.copies import copied_iterations
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Contract, Status
from gitexp.observer import Observer
from gitexp.paths import inside
from gitexp.run import hooks
from gitexp.run.frozen_data import check_data
from gitexp.run.runner import TAIL_LINES
from gitexp.shell import git_command, pathspec, pathspecs
from gitexp.text import short, visible, visible_list
from gitexp.verdict import breaker
from gitexp.verdict.diagnosis import diagnose
from gitexp.verdict.rules import check_rule


def check_checked_out(repo: Repository, place: ExperimentFiles) -> None:
    """An edit by hand is of the branch that is checked out, and so is any where candidates run in place."""
    if refs.current_branch(repo) != place.branch:
        raise GitexpError(
            f"{visible(place.branch)} is not checked out, and the edit is to be of that.",
            git_command("switch", "--merge", place.branch) + "   # takes the edit along",
        )


def check_breaker(place: ExperimentFiles, ledger: Ledger) -> None:
    if crashes := breaker.tripped(ledger):
        report = breaker.report(crashes, place.log_tail(crashes[-1].candidate.label(1), TAIL_LINES))
        raise BreakerOpenError(report, "gitexp breaker reset --why '...'   # when the cause is mended")


def check_contract(repo: Repository, place: ExperimentFiles, contract: Contract) -> None:
    check_terms(repo, contract)
    check_data(repo.top, place, contract)
    check_hook(repo, contract)


def check_tip(repo: Repository, ledger: Ledger) -> None:
    """What was measured must be what the next candidate is an edit of, or that would be credited with it."""
    if copies := copied_iterations(repo, ledger):
        raise GitexpError(
            f"{copies[-1]} was sealed on another commit, and moved here: by git pull --rebase, if another clone sealed "
            f"{ledger.iterations[-1].id} on the same branch. Ids would be double.",
            f"{git_command('branch', *_own_branch(repo, ledger))} && git reset --keep {short(ledger.sealed)}"
            "   # the branch keeps your iterations, and steps go on there or here",
        )
    if ledger.foreign_commits and ledger.tree != ledger.incumbent.tree:
        raise GitexpError(
            f"The tip is not what {ledger.incumbent.id} measured: {ledger.foreign_commits[0]} was not made by gitexp.",
            f"git reset --soft {short(ledger.sealed)} && git restore --staged :/   # its edit can then be a step; "
            "or start anew from here: gitexp init --name NAME",
        )


def _own_branch(repo: Repository, ledger: Ledger) -> tuple[str, str]:
    """The name of a new branch, and the tip it gets: the branch as it was before the rebase, where git still knows."""
    names = (f"{BRANCH_PREFIX}{ledger.name}-mine{number or ''}" for number in count())
    name = next(name for name in names if refs.read(repo, f"refs/heads/{name}") is None)
    before = repo.resolve("ORIG_HEAD")
    return name, short(before) if before and _sealed_there(repo, before, ledger) else short(ledger.tip)


def _sealed_there(repo: Repository, commit: str, ledger: Ledger) -> bool:
    """Whether ``commit`` is a tip of this experiment on which each iteration has the parent it was sealed on."""
    try:
        return not history.read(repo, ledger.name, commit).foreign_commits
    except GitexpError:
        return False


def check_unedited(repo: Repository, contract: Contract) -> None:
    """What a refused or interrupted step left must not be taken for a part of what the command is about to do."""
    paths = edited_paths(repo, contract.edit)
    if outside := [path for path in paths if not covers(contract.edit, path)]:
        raise GitexpError(
            f"{visible_list(outside)} differs from HEAD, and only {visible_list(contract.edit)} may change here.",
            f"git diff HEAD -- {pathspec(outside[0])}   # then commit, stash or restore it",
        )
    if paths:
        raise GitexpError(
            f"{visible_list(paths)} is edited already, by an earlier step perhaps, and another edit would be mixed "
            "with that.",
            f"gitexp step -m '...'   # tries the edit that is there; or: git restore {pathspec(paths[0])}",
        )


def check_one_variable(contract: Contract, snapshot: Snapshot, observer: Observer) -> None:
    """With more than one change nobody knows which of them it was."""
    changes = snapshot.candidate.changes
    if len(changes) < 2 or len(snapshot.candidate.params) > 1:  # a grid says itself what it sets
        return
    sentence = f"This edit changes {len(changes)} things ({visible_list(changes)})"
    if contract.one_variable == "strict":
        raise GitexpError(f"{sentence}, and this experiment allows one.", f"git diff -- {pathspecs(snapshot.files)}")
    observer.say(f"{sentence}, and one variable at a time tells which of them it was.")


def check_new(ledger: Ledger, snapshot: Snapshot) -> None:
    """What is known need not be run again, unless it crashed for a reason that was not its own."""
    for tried in ledger.tried_as(snapshot.candidate.patch):
        if tried.status is Status.CRASH and diagnose(tried).environment:
            return
        raise NotNewError(
            f"This edit was already tried as {tried.id}, {tried.status.value}: {tried.reason}.",
            "gitexp step --again -m '...'   # tries it again; or take it back: "
            f"git restore {pathspecs(snapshot.files)}",
        )


def check_terms(repo: Repository, contract: Contract) -> None:
    """Raises where the work tree of ``repo`` does not hold what the contract names as it was."""
    check_rule(contract)
    for named in contract.paths:
        inside(repo.top, named)
    check_frozen(repo, contract)


def check_hook(repo: Repository, contract: Contract) -> None:
    """Raises where the hook is not the one that the baseline was measured with."""
    path = hooks.find(repo)
    if hooks.blob(repo, path) != contract.hook:
        raise GitexpError(
            f"The post-run hook {visible(str(path))} is not the one the baseline was measured with: scores "
            "would not be comparable.",
            "gitexp hook   # shows both; put the old one back, or start anew: gitexp init --name NAME",
        )
