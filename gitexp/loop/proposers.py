"""Proposers: a command of the user's makes each edit. For ``gitexp loop`` it also decides what to change."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from gitexp import shell
from gitexp.errors import GitexpError
from gitexp.files import find_file, open_file, write_file
from gitexp.git.repository import Repository
from gitexp.iteration.journal import Files
from gitexp.iteration.proposal import MakeEdit, Proposal
from gitexp.iteration.workspace import Workspace
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.loop.limits import STOP
from gitexp.observer import Observer
from gitexp.run import hooks
from gitexp.run.processes import MARK
from gitexp.run.runner import Execution, NotStarted, attend, run
from gitexp.text import from_bytes, visible_list
from gitexp.views.brief import brief

PATIENCE = 3600.0  # seconds after which an agent that hangs is ended
BRIEF = "brief.md"
MESSAGE_LIMIT = 1 << 20  # bytes
MESSAGE = "message"


class UnfinishedEditError(GitexpError):
    """A proposer failed in a workspace; ``files`` is what it had edited."""

    def __init__(self, sentence: str, hint: str, files: Files) -> None:
        super().__init__(sentence, hint)
        self.files = files


def described(proposal: Proposal, work: Workspace, observer: Observer) -> Proposal:
    """The proposal with the edit that lies in the workspace, and what was written into EXPERIMENT.md there."""
    files = work.edit()
    if (work.repo.top / STOP).is_file():
        write_file(work.owner.top / STOP, b"")
    if outside := [path for path in work.outside if path != STOP]:
        observer.say(
            f"The proposer also changed {visible_list(outside[:5])}, which is not editable in this experiment: it is "
            "gone."
        )
    if linked := work.changed_links():
        observer.say(f"{visible_list(linked)} is linked into the clean tree, and the proposer changed it.")
    return replace(proposal, files=files, notes=proposal.notes.beside(work.notes()))


class Proposer(Protocol):
    """Proposes a loop's edits, one after another."""

    @property
    def foreseen(self) -> Files | None:
        """What the files of the last edit that was asked for will hold, by path; ``None`` if only its making shows it.

        A foreseen edit can be made again: if it is refused, no ref needs to keep it.
        """

    def ask(self, ledger: Ledger, refusal: GitexpError | None) -> MakeEdit | None:
        """The next edit; ``None`` when nothing is left to try. ``refusal``: why the last edit was not tried."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that makes the edit which ``proposal`` describes: ``gitexp step -m TEXT -- COMMAND``.

    It is a :data:`gitexp.iteration.proposal.MakeEdit`.
    """

    repo: Repository
    words: tuple[str, ...]
    directory: Path  # where it was typed, and runs: in a clean tree, in the same folder of that
    proposal: Proposal
    observer: Observer

    def __call__(self, place: ExperimentFiles, ledger: Ledger) -> Proposal:
        command = " ".join(self.words)
        work = None if ledger.contract.in_place else Workspace(self.repo, place, ledger)
        words = work.words(self.words, self.directory) if work else self.words
        cwd = work.directory(self.directory) if work else self.directory
        try:
            code = attend(words, cwd=cwd, env=os.environ | {MARK: uuid.uuid4().hex})
        except NotStarted as error:
            raise GitexpError(f"The command {command!r} cannot be run: {error}.", "gitexp step -h") from None
        if code and work:
            raise UnfinishedEditError(
                f"The command {command!r} failed (exit {code}); nothing was recorded.", "gitexp step -h", work.edit()
            )
        if code:
            raise GitexpError(
                f"The command {command!r} failed (exit {code}); nothing was recorded, and its edits stay.", "git diff"
            )
        return described(self.proposal, work, self.observer) if work else self.proposal


@dataclass(slots=True)
class Agent:
    """A :class:`Proposer`: a command that decides what to change. The brief is its standard input.

    It may write a description into the file ``$GITEXP_MESSAGE``; else the last line that it prints is taken.
    """

    repo: Repository
    words: tuple[str, ...]
    directory: Path  # where it was typed, and runs: in a clean tree, in the same folder of that
    observer: Observer
    foreseen: None = None
    _gone: tuple[str, ...] = ()  # what its last edit changed in vain

    def ask(self, ledger: Ledger, refusal: GitexpError | None) -> MakeEdit:
        """Let the command edit. That raises GitexpError when it cannot be run, fails, or takes more than an hour."""
        return lambda place, ledger: self._propose(place, ledger, str(refusal or ""))

    def _propose(self, place: ExperimentFiles, ledger: Ledger, refusal: str) -> Proposal:
        brief_file, message_file = place.directory / BRIEF, place.directory / MESSAGE
        write_file(brief_file, brief(ledger, refused=refusal, gone=self._gone).encode())
        message_file.unlink(missing_ok=True)
        log = place.log(f"{ledger.next_id}.proposer")
        work = None if ledger.contract.in_place else Workspace(self.repo, place, ledger)
        try:
            last_line = self._check(self._run(ledger, brief_file, message_file, log, work), log)
        except GitexpError as error:
            raise UnfinishedEditError(error.sentence, error.hint, work.edit()) if work else error from None
        proposal = Proposal(_message(message_file) or last_line)
        if work is None:
            return proposal
        proposal = described(proposal, work, self.observer)
        self._gone = work.outside
        return proposal

    def _run(
        self, ledger: Ledger, brief_file: Path, message_file: Path, log: Path, work: Workspace | None
    ) -> Execution:
        files = {"GITEXP_BRIEF": str(brief_file), "GITEXP_MESSAGE": str(message_file), MARK: uuid.uuid4().hex}
        self.observer.run_starts(f"{ledger.next_id} proposal", 0)
        try:
            with open_file(brief_file) as stdin:
                return run(
                    work.words(self.words, self.directory) if work else self.words,
                    cwd=work.directory(self.directory) if work else self.directory,
                    env=hooks.environment(ledger.contract, ledger.name, ledger.next_id) | files,
                    timeout=PATIENCE,
                    log=log,
                    on_line=self.observer.run_prints,
                    on_tick=self.observer.run_goes_on,
                    stdin=stdin,
                )
        except NotStarted as error:
            command = " ".join(self.words)
            raise GitexpError(f"The command {command!r} cannot be run: {error}.", "gitexp loop -h") from None
        finally:
            self.observer.run_ends(False)

    def _check(self, execution: Execution, log: Path) -> str:
        """The last line that the command printed. Raises GitexpError where it failed or was ended."""
        words = " ".join(self.words)
        last_line = next((line.strip() for line in reversed(execution.tail) if line.strip()), "")
        if execution.timed_out:
            raise GitexpError(
                f"The command {words!r} was still running after {PATIENCE:.0f} s.", shell.command("less", log)
            )
        if execution.exit_code:
            why = f": {last_line}" if last_line else ""
            raise GitexpError(
                f"The command {words!r} failed (exit {execution.exit_code}){why}", shell.command("less", log)
            )
        return last_line


def _message(file: Path) -> str:
    """What the agent left as its description; empty when that is not a regular file of a description's size."""
    try:
        return from_bytes(find_file(file, MESSAGE_LIMIT) or b"").strip()
    except OSError:
        return ""
