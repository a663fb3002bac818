"""What is proposed: an edit in the work tree, and what is said of it. A person makes it, a command, or an agent."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitexp.errors import GitexpError
from gitexp.files import write_file
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Candidate, Notes
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.curve import Pruner
from gitexp.run.processes import MARK
from gitexp.run.runner import NotStarted, attend, run
from gitexp.text import from_bytes
from gitexp.views.brief import brief

PATIENCE = 3600.0  # seconds after which an agent that hangs is ended
BRIEF = "brief.md"
MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is said of the edit that lies in the work tree. Without a message, what changed is its description."""

    message: str
    notes: Notes = Notes()
    again: bool = False  # an edit that was tried before may be tried again
    simplify: bool = False  # shorter code at no loss is its point
    params: tuple[tuple[str, str], ...] = ()  # the constants that a sweep sets, with their values as source
    pruner: Pruner | None = None  # may end its first run early


MakeEdit = Callable[[ExperimentFiles, Ledger], Proposal]  # makes the edit, and says what it was


@dataclass(frozen=True, slots=True)
class Command:
    """A command that makes the edit which ``proposal`` describes: ``gitexp step -m TEXT -- COMMAND``."""

    words: tuple[str, ...]
    directory: Path
    proposal: Proposal

    def __call__(self, place: ExperimentFiles, ledger: Ledger) -> Proposal:
        command = " ".join(self.words)
        try:
            code = attend(self.words, cwd=self.directory, env=os.environ | {MARK: uuid.uuid4().hex})
        except NotStarted as error:
            raise GitexpError(f"The command {command!r} cannot be run: {error}.", "gitexp step -h") from None
        if code:
            raise GitexpError(
                f"The command {command!r} failed (exit {code}); nothing was recorded, and its edits stay.", "git diff"
            )
        return self.proposal


@dataclass(frozen=True, slots=True)
class Agent:
    """A command that finds out for itself what to change: the brief is its standard input.

    It may leave a description in ``$GITEXP_MESSAGE``; else the last line that it prints is taken.
    """

    words: tuple[str, ...]
    directory: Path
    observer: Observer
    can_be_made_again: bool = False

    def next(self, ledger: Ledger, refusal: GitexpError | None) -> MakeEdit:
        return lambda place, ledger: self._propose(place, ledger, str(refusal or ""))

    def _propose(self, place: ExperimentFiles, ledger: Ledger, refused: str) -> Proposal:
        told, message = place.directory / BRIEF, place.directory / MESSAGE
        write_file(told, brief(ledger, refused=refused).encode())
        message.unlink(missing_ok=True)
        last = self._run(place, ledger, told, message)
        written = from_bytes(message.read_bytes()).strip() if message.is_file() else ""
        return Proposal(written or last)

    def _run(self, place: ExperimentFiles, ledger: Ledger, told: Path, message: Path) -> str:
        """The last line that it prints."""
        command, log = " ".join(self.words), place.log(f"{ledger.next_id}.proposer")
        given = {"GITEXP_BRIEF": str(told), "GITEXP_MESSAGE": str(message), MARK: uuid.uuid4().hex}
        self.observer.run_starts(f"{ledger.next_id} proposal", 0)
        try:
            with told.open("rb") as stdin:
                execution = run(
                    self.words,
                    cwd=self.directory,
                    env=hooks.environment(ledger.contract, ledger.name, ledger.next_id) | given,
                    timeout=PATIENCE,
                    log=log,
                    on_line=self.observer.run_prints,
                    on_tick=self.observer.run_goes_on,
                    stdin=stdin,
                )
        except NotStarted as error:
            raise GitexpError(f"The command {command!r} cannot be run: {error}.", "gitexp loop -h") from None
        finally:
            self.observer.run_ends(False)
        last = next((line.strip() for line in reversed(execution.tail) if line.strip()), "")
        if execution.timed_out:
            raise GitexpError(f"The command {command!r} was still running after {PATIENCE:.0f} s.", f"less {log}")
        if execution.exit_code:
            said = f": {last}" if last else ""
            raise GitexpError(f"The command {command!r} failed (exit {execution.exit_code}){said}", f"less {log}")
        return last


def retold(candidate: Candidate) -> Proposal:
    """The proposal of a step that was interrupted, to be taken again."""
    return Proposal(f"{candidate.description}\n\n{candidate.body}".strip(), again=True, params=candidate.params)
