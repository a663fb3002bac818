"""The loop: one step after another, until a limit is reached or a person has to look.

Its state is the history, the work tree and the notes of a step: after a kill, start it again and it goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gitexp.errors import BreakerOpenError, GitexpError, NotNewError
from gitexp.files import lock
from gitexp.git.fsmonitor import watching
from gitexp.git.repository import Repository
from gitexp.git.worktree import edits
from gitexp.iteration.finalize import StepResult
from gitexp.iteration.journal import read_journal
from gitexp.iteration.proposal import MakeEdit, Proposal, retold
from gitexp.iteration.recovery import recover
from gitexp.iteration.step import step
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.loop.limits import Limits
from gitexp.loop.proposers import Proposer
from gitexp.loop.proposing import begin_proposing, forget_proposing, half_edit, note_edit, note_gated_edit, proposing
from gitexp.loop.set_aside import set_aside
from gitexp.model import Iteration
from gitexp.observer import Observer
from gitexp.run.device import Busy
from gitexp.shell import command
from gitexp.text import one_line, visible, visible_list

STOP = "STOP"  # a file of this name at the top of the work tree ends the loop
DESCRIPTION = 80  # characters that are shown of a refused proposal's description
TICK = 0.2  # seconds between two looks while the loop waits


@dataclass(frozen=True, slots=True)
class LoopResult:
    """Why a loop ended, and what it did."""

    why: str  # to follow "The loop ended because"
    ledger: Ledger
    steps: tuple[Iteration, ...]
    seconds: float
    error: GitexpError | None = None  # what must be mended before the loop can go on


def loop(
    repo: Repository,
    name: str,
    proposer: Proposer,
    limits: Limits,
    observer: Observer,
    on_outcome: Callable[[StepResult], None],
    is_interrupted: Callable[[], bool],
    busy: Busy,
) -> LoopResult:
    """Take one step after another of the experiment ``name``, each with an edit of ``proposer``.

    ``on_outcome`` is given the result of each step. The loop ends after the step during which ``is_interrupted`` became
    true; ``busy`` says what a step does where another run uses the device. Raises GitexpError when it cannot begin: a
    file STOP, another loop, a refusal of the first step.
    """
    place = ExperimentFiles.of(repo, name)
    if (repo.top / STOP).exists():
        raise GitexpError(
            f"There is a file {visible(str(repo.top / STOP))}, which ends every loop.", command("rm", repo.top / STOP)
        )
    with lock(place.loop_lock, f"The loop of {place.branch}", "loop"), watching(repo):
        return _Loop(repo, place, proposer, limits, observer, is_interrupted, busy).run(on_outcome)


@dataclass(slots=True)
class _Loop:
    """One run of a loop, and what it has seen so far."""

    repo: Repository
    place: ExperimentFiles
    proposer: Proposer
    limits: Limits
    observer: Observer
    is_interrupted: Callable[[], bool]
    busy: Busy
    started: float = field(default_factory=time.monotonic)
    steps: list[Iteration] = field(default_factory=list)
    failures: int = 0  # rounds since the last step
    refusal: GitexpError | None = None  # of the last proposal, if it was refused
    description: str = ""  # of the last proposal

    def run(self, on_outcome: Callable[[StepResult], None]) -> LoopResult:
        self._wait_for_others()
        interrupted = self._interrupted_proposal()
        while True:
            ledger = history.load(self.repo, self.place.name)
            if why := self._why_to_end(ledger):
                return self._result(ledger, why)
            proposed, interrupted = interrupted or self._ask(ledger), None
            if proposed is None:
                return self._result(ledger, "there is nothing left to try")
            self._wait_for_others()
            try:
                outcome = self._round(ledger, proposed)
            except GitexpError as error:
                if not self.steps:
                    raise
                return self._result(ledger, "it cannot go on", error)
            if outcome:
                on_outcome(outcome)
            if not (outcome and outcome.opened):  # with an open circuit breaker the next round ends the loop
                self._wait(self.limits.pause)

    def _interrupted_proposal(self) -> Proposal | None:
        """Clear up after a loop that died; the proposal that it was running, if its edit must still be tried."""
        with self.place.locked(self.repo, "loop"):
            snapshot = read_journal(self.place)
            finished = recover(self.repo, self.place, self.observer)
            edit = proposing(self.place)
            if edit is None:
                return None
            editable = history.load(self.repo, self.place.name).contract.edit
            if snapshot and not finished and edits(self.repo, editable) == snapshot.files:
                self.observer.say(f"{snapshot.candidate.id}: the loop died during this run, which is run again.")
                return self._noted(retold(snapshot.candidate), editable)
            if edit.files is None:
                edit = half_edit(self.repo, editable)
            ref, left = set_aside(self.repo, self.place, edit, "loop")
            if ref:
                self.observer.say(f"The loop died while its proposer edited; the unfinished edit is kept as {ref}.")
            self._say_left(left)
            forget_proposing(self.place)
            return None

    def _why_to_end(self, ledger: Ledger) -> str:
        """Why no further step is taken; empty when one is."""
        if self.is_interrupted():
            return "you asked it to end"
        if (self.repo.top / STOP).exists():
            return f"the file {STOP} is there"
        return self.limits.reached(ledger, len(self.steps), time.monotonic() - self.started, self.failures)

    def _ask(self, ledger: Ledger) -> MakeEdit | None:
        """The proposer's next edit, with a note on disk that edits in the work tree are the proposer's from then on."""
        make_edit, self.description = self.proposer.ask(ledger, self.refusal), ""
        foreseen = self.proposer.foreseen
        if make_edit is None:
            return None

        def make_noted_edit(place: ExperimentFiles, ledger: Ledger) -> Proposal:
            begin_proposing(place, foreseen)
            try:
                proposal = make_edit(place, ledger)
            finally:
                note_edit(self.repo, place, ledger.contract.edit)
            self.description = one_line(proposal.message, DESCRIPTION)
            return self._noted(proposal, ledger.contract.edit)

        return make_noted_edit

    def _noted(self, proposal: Proposal, editable: tuple[str, ...]) -> Proposal:
        return replace(proposal, on_gated=lambda: note_gated_edit(self.repo, self.place, editable))

    def _round(self, ledger: Ledger, proposed: Proposal | MakeEdit) -> StepResult | None:
        """One step; ``None`` when the proposal was refused. Raises what would stop any other proposal too."""
        try:
            outcome = step(self.repo, self.place.name, proposed, self.observer, self.busy)
        except GitexpError as refusal:
            self._refuse(ledger, refusal)
            return None
        except KeyboardInterrupt:
            edit = proposing(self.place)
            if edit and edit.can_be_made_again:
                self._say_left(set_aside(self.repo, self.place, edit, "")[1])
            forget_proposing(self.place)  # a person is here: an edit that is still there is theirs now
            raise
        forget_proposing(self.place)
        self.failures, self.refusal = 0, None
        self.steps.append(outcome.iteration)
        return outcome

    def _refuse(self, ledger: Ledger, refusal: GitexpError) -> None:
        """Take the edit of a refused proposal back. Raises ``refusal`` when it would stop any other proposal too."""
        edit = proposing(self.place)
        if edit is None or read_journal(self.place):  # a measured candidate is sealed once that is mended
            raise refusal
        ref, left = set_aside(self.repo, self.place, edit, ledger.next_id)
        forget_proposing(self.place)
        kept = f" Its edit is kept as {ref}." if ref else ""
        described = f" ({self.description})" if self.description else ""
        self.observer.say(f"{ledger.next_id}{described} was not tried: {refusal.sentence}{kept}")
        self._say_left(left)
        if self.repo.resolve("HEAD") != ledger.tip:
            raise refusal
        is_known = self.proposer.foreseen is not None and isinstance(refusal, NotNewError)
        if not is_known:  # a sweep may meet an edit that was tried by hand
            self.failures += 1
        self.refusal = refusal

    def _say_left(self, paths: tuple[str, ...]) -> None:
        if paths:
            self.observer.say(f"{visible_list(paths)} was changed since, and is left as it is.")

    def _wait_for_others(self) -> None:
        """Wait until a person's own step or test is over: it must not end the loop."""
        if holder := self.place.holder()[0]:
            self.observer.say(f"The loop waits for {holder}.")
        while not self.is_interrupted() and self.place.holder()[0]:
            time.sleep(TICK)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.is_interrupted():
            time.sleep(min(TICK, max(0.0, until - time.monotonic())))

    def _result(self, ledger: Ledger, why: str, error: GitexpError | None = None) -> LoopResult:
        if isinstance(error, BreakerOpenError):
            why = "the circuit breaker is open"
        error = error or (self.refusal if self.failures else None)
        return LoopResult(why, ledger, tuple(self.steps), time.monotonic() - self.started, error)
