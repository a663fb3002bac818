"""What a loop does for its proposer's edits, so that none is lost and none is taken for a person's.

In place they lie in the person's work tree, where notes on disk tell them from a person's edits (:class:`InPlace`).
Else they lie in the experiment's workspace, and nobody's files are touched (:class:`InWorkspace`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from gitexp.git.repository import Repository
from gitexp.git.worktree import edits
from gitexp.iteration.journal import Files, read_journal
from gitexp.iteration.proposal import MakeEdit, Proposal, retold
from gitexp.iteration.recovery import recover
from gitexp.iteration.workspace import NOTE, keep_edit, keep_unfinished
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.loop.proposers import UnfinishedEditError
from gitexp.loop.proposing import begin_proposing, forget_proposing, half_edit, note_edit, note_gated_edit, proposing
from gitexp.loop.set_aside import set_aside
from gitexp.model import Contract
from gitexp.observer import Observer
from gitexp.signals import signals_wait
from gitexp.text import visible_list

AGAIN = "the loop died during this run, which is run again."


class Keeper(Protocol):
    """Looks after the edit of a loop's proposer."""

    def interrupted(self) -> Proposal | None:
        """Clear up after a loop that died; the proposal that it was running, if its edit must still be tried."""

    def noting(self, make_edit: MakeEdit, foreseen: Files | None) -> MakeEdit:
        """``make_edit``, with a note of what it makes."""

    def refused(self, ledger: Ledger) -> str | None:
        """Take the edit of a refused proposal back; the ref that keeps it, empty where none need.

        ``None`` where no proposal was made: then the refusal would meet any other, too.
        """

    def gave_up(self) -> None:
        """A person ended the step under way."""

    def done(self) -> None:
        """The edit is sealed."""


def keeper(repo: Repository, place: ExperimentFiles, contract: Contract, observer: Observer) -> Keeper:
    """The one that the contract asks for."""
    return InPlace(repo, place, observer) if contract.in_place else InWorkspace(repo, place, observer)


@dataclass(slots=True)
class InWorkspace:
    """The edit is an object of git's as soon as its proposer is done."""

    repo: Repository
    place: ExperimentFiles
    observer: Observer
    _made: Files | None = None  # by the last proposal; None before it is asked for
    _can_be_made_again: bool = False

    def interrupted(self) -> Proposal | None:
        with self.place.locked(self.repo, "loop", in_place=False):
            snapshot = read_journal(self.place)
            finished = recover(self.repo, self.place, self.observer)
            if snapshot is None or finished or snapshot.work_tree or snapshot.candidate.contract:
                return None
            self.observer.say(f"{snapshot.candidate.id}: {AGAIN}")
            return retold(snapshot.candidate, snapshot.files)

    def noting(self, make_edit: MakeEdit, foreseen: Files | None) -> MakeEdit:
        self._made, self._can_be_made_again = None, foreseen is not None

        def make_noted_edit(place: ExperimentFiles, ledger: Ledger) -> Proposal:
            self._made = {}
            place.write_note(NOTE, foreseen is None)
            try:
                proposal = make_edit(place, ledger)
            except UnfinishedEditError as error:
                self._made = error.files
                raise
            self._made = proposal.files
            return replace(proposal, on_taken=lambda: place.forget_note(NOTE))

        return make_noted_edit

    def refused(self, ledger: Ledger) -> str | None:
        if self._made is None or read_journal(self.place):  # a measured candidate is sealed once that is mended
            return None
        if not self._made or self._can_be_made_again:
            return ""
        return self._keep(ledger, self._made, ledger.next_id)

    def _keep(self, ledger: Ledger, files: Files, label: str) -> str:
        ref = keep_edit(self.repo, self.place, ledger, files, label)
        self.place.forget_note(NOTE)
        return ref

    def gave_up(self) -> None:
        with signals_wait():
            if ref := keep_unfinished(self.repo, self.place, history.load(self.repo, self.place.name)):
                self.observer.say(f"The unfinished edit of the proposer is kept as {ref}.")

    def done(self) -> None:
        self.place.forget_note(NOTE)


@dataclass(slots=True)
class InPlace:
    """The edit lies in the person's work tree."""

    repo: Repository
    place: ExperimentFiles
    observer: Observer

    def interrupted(self) -> Proposal | None:
        with self.place.locked(self.repo, "loop"):
            snapshot = read_journal(self.place)
            finished = recover(self.repo, self.place, self.observer)
            edit = proposing(self.place)
            if edit is None:
                return None
            editable = history.load(self.repo, self.place.name).contract.edit
            if snapshot and not finished and edits(self.repo, editable) == snapshot.files:
                self.observer.say(f"{snapshot.candidate.id}: {AGAIN}")
                return self._noted(retold(snapshot.candidate), editable)
            if edit.files is None:
                edit = half_edit(self.repo, editable)
            ref, left = set_aside(self.repo, self.place, edit, "loop")
            if ref:
                self.observer.say(f"The loop died while its proposer edited; the unfinished edit is kept as {ref}.")
            self._say_left(left)
            forget_proposing(self.place)
            return None

    def noting(self, make_edit: MakeEdit, foreseen: Files | None) -> MakeEdit:
        """A note on disk says that edits in the work tree are the proposer's from then on."""

        def make_noted_edit(place: ExperimentFiles, ledger: Ledger) -> Proposal:
            begin_proposing(place, foreseen)
            try:
                proposal = make_edit(place, ledger)
            finally:
                note_edit(self.repo, place, ledger.contract.edit)
            return self._noted(proposal, ledger.contract.edit)

        return make_noted_edit

    def refused(self, ledger: Ledger) -> str | None:
        edit = proposing(self.place)
        if edit is None or read_journal(self.place):  # a measured candidate is sealed once that is mended
            return None
        ref, left = set_aside(self.repo, self.place, edit, ledger.next_id)
        forget_proposing(self.place)
        self._say_left(left)
        return ref

    def gave_up(self) -> None:
        edit = proposing(self.place)
        if edit and edit.can_be_made_again:
            self._say_left(set_aside(self.repo, self.place, edit, "")[1])
        forget_proposing(self.place)  # a person is here: an edit that is still there is theirs now

    def done(self) -> None:
        forget_proposing(self.place)

    def _noted(self, proposal: Proposal, editable: tuple[str, ...]) -> Proposal:
        return replace(proposal, on_gated=lambda: note_gated_edit(self.repo, self.place, editable))

    def _say_left(self, paths: tuple[str, ...]) -> None:
        if paths:
            self.observer.say(f"{visible_list(paths)} was changed since, and is left as it is.")
