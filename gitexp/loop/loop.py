"""The loop: one step after another, until a limit is reached or somebody has to look.

All it knows is in the history and in the work tree: killed at any point, it goes on when it is started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

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
from gitexp.ledger.columns import KEEP
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.loop.proposing import forget_proposing, proposing, write_proposing
from gitexp.loop.set_aside import set_aside
from gitexp.model import Iteration, Status, score_text, signed
from gitexp.observer import Observer
from gitexp.text import duration, one_line

STOP = "STOP"  # a file of this name at the top of the work tree ends the loop
FAILURES = 3  # rounds in a row that bring no step, after which the loop ends
SAID = 80  # characters of a refused proposal's description
TOLD = 3  # iterations that the closing paragraph names


@dataclass(frozen=True, slots=True)
class Limits:
    steps: int | None = None  # at most so many in this run
    hours: float | None = None  # no step is begun after so many
    until: float | None = None  # a score that is good enough
    patience: int | None = None  # steps in a row without a KEEP, as the history has them
    pause: float = 0.0  # seconds between two steps


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a loop ended, and what it had done."""

    why: str
    ledger: Ledger
    steps: tuple[Iteration, ...]
    seconds: float
    error: GitexpError | None = None  # what has to be mended before it can go on


class Proposer(Protocol):
    """Where a loop's proposals come from."""

    @property
    def can_be_made_again(self) -> bool:
        """Whether an edit that is not tried need not be kept."""

    def next(self, ledger: Ledger, refusal: GitexpError | None) -> MakeEdit | None:
        """What makes the next edit, after the last one was tried, or refused; ``None`` when nothing is left to try."""


@dataclass(slots=True)
class _Rounds:
    """What one run of a loop has seen so far."""

    started: float
    steps: list[Iteration]
    said: str = ""  # what the last proposal called itself
    failures: int = 0
    refusal: GitexpError | None = None


def loop(
    repo: Repository,
    name: str,
    source: Proposer,
    limits: Limits,
    observer: Observer,
    told: Callable[[StepResult], None],
    interrupted: Callable[[], bool],
) -> Ended:
    """Take one step after another, of the proposals that ``source`` has.

    ``told`` hears each outcome. The loop ends after the step during which ``interrupted`` became true. Raises only what
    keeps it from beginning.
    """
    place = ExperimentFiles.of(repo, name)
    if (repo.top / STOP).exists():
        raise GitexpError(f"There is a file {repo.top / STOP}: it ends every loop.", f"rm {repo.top / STOP}")
    with lock(place.loop_lock, f"The loop of {place.branch}", "loop"), watching(repo):
        rounds = _Rounds(time.monotonic(), [])
        _wait_for_others(place, observer, interrupted)
        left = _take_up(repo, place, observer)
        while True:
            ledger = history.load(repo, name)
            why = "you asked it to end" if interrupted() else _limit(repo, ledger, limits, rounds)
            if why:
                return _ended(rounds, ledger, why)
            proposed, left = left or _next(source, ledger, rounds), None
            if proposed is None:
                return _ended(rounds, ledger, "there is nothing left to try")
            _wait_for_others(place, observer, interrupted)
            try:
                outcome = _round(repo, place, ledger, proposed, rounds, observer)
            except GitexpError as error:
                if not rounds.steps:
                    raise
                return _ended(rounds, ledger, "it cannot go on", error)
            if outcome:
                told(outcome)
            if not (outcome and outcome.opened):  # then the next step says so
                _pause(limits.pause, interrupted)


def _take_up(repo: Repository, place: ExperimentFiles, observer: Observer) -> Proposal | None:
    """Clear up after a loop that died; the proposal that it was running, if its edit still has to be tried."""
    with place.locked(repo, "loop"):
        snapshot = read_journal(place)
        finished = recover(repo, place, observer)
        left = proposing(place)
        if left is None:
            return None
        contract = history.load(repo, place.name).contract
        if snapshot and not finished and edits(repo, contract.edit) == snapshot.files:
            observer.say(f"{snapshot.candidate.id}: the loop died while it ran; it is run again.")
            return retold(snapshot.candidate)
        if ref := set_aside(repo, place, contract.edit, "" if left else "loop"):
            observer.say(f"The loop died while its proposer was at work; what that left is kept as {ref}.")
        forget_proposing(place)
        return None


def _limit(repo: Repository, ledger: Ledger, limits: Limits, rounds: _Rounds) -> str:
    """Which limit is reached; empty for none."""
    hours = (time.monotonic() - rounds.started) / 3600
    score, dry = ledger.incumbent.score, without_keep(ledger)
    assert score is not None  # a KEEP was measured
    good = limits.until is not None and not ledger.contract.direction.better(limits.until, score)
    fruitless = rounds.failures >= min(FAILURES, limits.patience or FAILURES)
    reached = {
        f"the file {STOP} is there": (repo.top / STOP).exists(),
        f"{ledger.contract.metric} has reached {score_text(limits.until)}": good,
        f"{limits.steps} steps were asked for": limits.steps is not None and len(rounds.steps) >= limits.steps,
        f"{limits.hours or 0:g} hours were asked for": limits.hours is not None and hours >= limits.hours,
        f"the last {dry} steps brought no KEEP": limits.patience is not None and dry >= limits.patience,
        f"{rounds.failures} rounds in a row brought nothing to run": fruitless,
    }
    return next((why for why, now in reached.items() if now), "")


def without_keep(ledger: Ledger) -> int:
    """How many of the last iterations in a row were not kept."""
    return len(ledger.iterations) - 1 - ledger.columns.statuses.rindex(KEEP)


def _round(
    repo: Repository,
    place: ExperimentFiles,
    ledger: Ledger,
    proposed: Proposal | MakeEdit,
    rounds: _Rounds,
    observer: Observer,
) -> StepResult | None:
    """One step, or ``None`` when the proposal was refused. Raises what another proposal would not mend."""
    try:
        outcome = step(repo, place.name, proposed, observer)
    except GitexpError as refusal:
        again = proposing(place)
        if again is None or read_journal(place):  # it is measured, and can be sealed when that is mended
            raise
        ref = set_aside(repo, place, ledger.contract.edit, "" if again else ledger.next_id)
        forget_proposing(place)
        kept = f" Its edit is kept as {ref}." if ref else ""
        what = f"{ledger.next_id} ({rounds.said})" if rounds.said else ledger.next_id
        observer.say(f"{what} was not tried: {refusal.sentence}{kept}")
        if repo.resolve("HEAD") != ledger.tip:
            raise
        known = again and isinstance(refusal, NotNewError)  # that is no failure of a sweep
        rounds.failures, rounds.refusal = rounds.failures + (not known), refusal
        return None
    except KeyboardInterrupt:
        if proposing(place):
            set_aside(repo, place, ledger.contract.edit, "")
        forget_proposing(place)  # a person is here, and what else lies there is theirs now
        raise
    forget_proposing(place)
    rounds.failures, rounds.refusal = 0, None
    rounds.steps.append(outcome.iteration)
    return outcome


def _next(source: Proposer, ledger: Ledger, rounds: _Rounds) -> MakeEdit | None:
    """What the source has, with a note: what then lies in the work tree is the proposer's, whoever finds it."""
    propose, rounds.said = source.next(ledger, rounds.refusal), ""
    if propose is None:
        return None

    def noted(place: ExperimentFiles, ledger: Ledger) -> Proposal:
        write_proposing(place, source.can_be_made_again)
        proposal = propose(place, ledger)
        rounds.said = one_line(proposal.message, SAID)
        return proposal

    return noted


def _wait_for_others(place: ExperimentFiles, observer: Observer, interrupted: Callable[[], bool]) -> None:
    """Somebody's own step or test is no reason to end the night."""
    holder = place.holder()[0]
    if holder:
        observer.say(f"The loop waits for {holder}.")
    while not interrupted() and place.holder()[0]:
        time.sleep(0.2)


def _pause(seconds: float, interrupted: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not interrupted():
        time.sleep(min(0.2, max(0.0, until - time.monotonic())))


def _ended(rounds: _Rounds, ledger: Ledger, why: str, error: GitexpError | None = None) -> Ended:
    if isinstance(error, BreakerOpenError):
        why = "the circuit breaker is open"
    error = error or (rounds.refusal if rounds.failures else None)
    return Ended(why, ledger, tuple(rounds.steps), time.monotonic() - rounds.started, error)


def paragraph(ended: Ended, what: str) -> str:
    """What was tried, what was found, what is next."""
    ledger, metric = ended.ledger, ended.ledger.contract.metric
    counts = ", ".join(f"{sum(i.status is s for i in ended.steps)} {s.value}" for s in Status)
    kept = [i for i in ended.steps if i.status is Status.KEEP]
    before = ledger.met_by(ended.steps[0]) if ended.steps else None
    sentences = [f"The {what} ended because {ended.why}, after {duration(ended.seconds)}."]
    if ended.steps:
        sentences.append(f"It tried {len(ended.steps)}: {counts}.")
    if kept and before:
        best = max(kept, key=lambda i: abs(i.delta or 0))
        sentences.append(
            f"{metric} went from {score_text(before.score)} to {score_text(ledger.incumbent.score)}; what helped "
            f"most is {best.id} ({signed(best.delta)}): {best.description}."
        )
    elif ended.steps:
        sentences.append(f"Nothing beat {ledger.incumbent.id} ({score_text(ledger.incumbent.score)}).")
    crashes = [i for i in ended.steps if i.status is Status.CRASH]
    if crashes:
        sentences.append(f"The last crash, {crashes[-1].id}: {crashes[-1].reason}.")
    ideas = "; ".join((ledger.notes.next or ())[:TOLD])
    sentences.append(f"Next to try: {ideas}." if ideas else "Next: gitexp brief has the whole picture.")
    return " ".join(sentences)
