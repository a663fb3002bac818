"""Say something of an experiment in its history: a commit that changes no file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gitexp.errors import GitexpError
from gitexp.git import refs
from gitexp.git.commits import commit_tree
from gitexp.git.repository import Repository
from gitexp.iteration import stale_locks
from gitexp.iteration.moving import moving
from gitexp.iteration.recovery import recover
from gitexp.ledger import history, messages
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Remark
from gitexp.observer import Observer
from gitexp.signals import signals_wait
from gitexp.views.on_disk import write_views


def remark(repo: Repository, name: str, make: Callable[[Ledger], Remark], observer: Observer) -> Remark:
    """Seal what ``make`` says of the ledger as it is now, on the tip of the experiment's branch."""
    place = ExperimentFiles.of(repo, name)
    with place.locked(repo, "remark"):
        recover(repo, place, observer)
        stale_locks.check_none(repo, place)
        ledger = history.load(repo, name)
        return seal_remark(repo, place, ledger, make(ledger), observer)


def seal_remark(repo: Repository, place: ExperimentFiles, ledger: Ledger, said: Remark, observer: Observer) -> Remark:
    said = replace(said, base=ledger.tip)
    commit = commit_tree(repo, ledger.tree, ledger.tip, messages.remark_message(said))
    with signals_wait(), moving(place):
        refs.update(repo, f"gitexp: {said.kind}", f"update refs/heads/{place.branch} {commit} {ledger.tip}")
    if repo.root and refs.current_branch(repo) == place.branch:
        try:
            write_views(repo, place, history.load(repo, place.name))
        except (GitexpError, OSError) as error:
            observer.say(f"The views were not written: {error}. Later: gitexp render")
    return replace(said, commit=commit)
