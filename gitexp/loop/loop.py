"""The loop: one step after another, until a limit is reached or a person has to look.

Its state is the history, the work tree and the notes of a step: after a kill, start it again and it goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from gitexp.errors import BreakerOpenError, GitexpError, NotNewError
from gitexp.files import lock
from gitexp.git.fsmonitor import watching
from gitexp.git.repository import Repository
from gitexp.iteration.finalize import StepResult
from gitexp.iteration.proposal import MakeEdit, Proposal
from gitexp.iteration.step import step
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.loop.keepers import Keeper, keeper
from gitexp.loop.limits import STOP, Limits
from gitexp.loop.proposers import Proposer
from gitexp.model import Iteration
from gitexp.observer import Observer
from gitexp.run.device import Busy
from gitexp.shell import command
from gitexp.text import one_line, visible

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
    contract = history.load(repo, name).contract
    keeps = keeper(repo, place, contract, observer)
    watched = watching(repo) if contract.in_place else nullcontext()
    with lock(place.loop_lock, f"The loop of {place.branch}", "loop"), watched:
        return _Loop(repo, place, keeps, proposer, limits, observer, is_interrupted, busy).run(on_outcome)


@dataclass(slots=True)
class _Loop:
    """One run of a loop, and what it has seen so far."""

    repo: Repository
    place: ExperimentFiles
    keeper: Keeper
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
        interrupted = self.keeper.interrupted()
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

    def _why_to_end(self, ledger: Ledger) -> str:
        """Why no further step is taken; empty when one is."""
        if self.is_interrupted():
            return "you asked it to end"
        if (self.repo.top / STOP).exists():
            return f"the file {STOP} is there"
        return self.limits.reached(ledger, len(self.steps), time.monotonic() - self.started, self.failures)

    def _ask(self, ledger: Ledger) -> MakeEdit | None:
        """The proposer's next edit, with a note of what it is."""
        make_edit, self.description = self.proposer.ask(ledger, self.refusal), ""
        if make_edit is None:
            return None
        make_noted_edit = self.keeper.noting(make_edit, self.proposer.foreseen)

        def make_described_edit(place: ExperimentFiles, ledger: Ledger) -> Proposal:
            proposal = make_noted_edit(place, ledger)
            self.description = one_line(proposal.message, DESCRIPTION)
            return proposal

        return make_described_edit

    def _round(self, ledger: Ledger, proposed: Proposal | MakeEdit) -> StepResult | None:
        """One step; ``None`` when the proposal was refused. Raises what would stop any other proposal too."""
        try:
            outcome = step(self.repo, self.place.name, proposed, self.observer, self.busy)
        except GitexpError as refusal:
            self._refuse(ledger, refusal)
            return None
        except KeyboardInterrupt:
            self.keeper.gave_up()
            raise
        self.keeper.done()
        self.failures, self.refusal = 0, None
        self.steps.append(outcome.iteration)
        return outcome

    def _refuse(self, ledger: Ledger, refusal: GitexpError) -> None:
        """Take the edit of a refused proposal back. Raises ``refusal`` when it would stop any other proposal too."""
        ref = self.keeper.refused(ledger)
        if ref is None:
            raise refusal
        kept = f" Its edit is kept as {ref}." if ref else ""
        described = f" ({self.description})" if self.description else ""
        self.observer.say(f"{ledger.next_id}{described} was not tried: {refusal.sentence}{kept}")
        if ledger.contract.in_place and self.repo.resolve("HEAD") != ledger.tip:
            raise refusal
        is_known = self.proposer.foreseen is not None and isinstance(refusal, NotNewError)
        if not is_known:  # a sweep may meet an edit that was tried by hand
            self.failures += 1
        self.refusal = refusal

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
