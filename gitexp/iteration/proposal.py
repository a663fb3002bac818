"""A proposal: an edit, and what its author says of it. A person, a command or an agent makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitexp.iteration.journal import Files
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.model import Candidate, Notes
from gitexp.run.curve import Pruner


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is said of an edit, which lies in the work tree unless it is given here."""

    message: str  # its first line describes the edit; where it is empty, the syntax that changed does
    notes: Notes = Notes()
    again: bool = False  # an edit that was tried before may be tried again
    simplify: bool = False  # its point is shorter code at no worse a score
    files: Files | None = None  # the edit, by path, where it does not lie in the work tree
    params: tuple[tuple[str, str], ...] = ()  # the constants that a sweep sets, with their values as source
    pruner: Pruner | None = None  # may end its first run early
    on_taken: Callable[[], None] | None = None  # called when the edit is safe as objects of git's
    on_gated: Callable[[], None] | None = None  # called after the pre-run hook, which may have changed the edit


MakeEdit = Callable[[ExperimentFiles, Ledger], Proposal]  # makes an edit, and describes it


def retold(candidate: Candidate, files: Files | None = None) -> Proposal:
    """The proposal of a step that was interrupted, to be taken again."""
    message = f"{candidate.description}\n\n{candidate.body}".strip()
    return Proposal(message, again=True, files=files, params=candidate.params)
