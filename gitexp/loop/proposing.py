"""A note that a proposer edits the work tree: if the loop dies meanwhile, what lies there is the proposer's."""

from __future__ import annotations

from gitexp.ledger.experiment_files import ExperimentFiles

NOTE = "proposing"


def write_proposing(place: ExperimentFiles, can_be_made_again: bool) -> None:
    """From now on, and until its edit is a candidate, the proposer's edit lies in the work tree."""
    place.write_note(NOTE, can_be_made_again)


def proposing(place: ExperimentFiles) -> bool | None:
    """Whether the edit that lies in the work tree can be made again; ``None`` when it is not a proposer's."""
    return place.read_note(NOTE, bool)


def forget_proposing(place: ExperimentFiles) -> None:
    place.forget_note(NOTE)
