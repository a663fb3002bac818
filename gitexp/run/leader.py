"""The process that leads a run, noted on disk: recovery ends it, and ``gitexp watch`` tells how long it has run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gitexp.ledger.experiment_files import ExperimentFiles

NOTE = "running"


@dataclass(frozen=True, slots=True)
class Process:
    """A process, named so that a later one of the same pid is not taken for it."""

    pid: int
    since: float  # seconds since the epoch


def write_leader(place: ExperimentFiles, leader: Process) -> None:
    place.write_note(NOTE, asdict(leader))


def read_leader(place: ExperimentFiles) -> Process | None:
    """The leader of the run that is going on, or of the last one; ``None`` when no step is under way."""
    return place.read_note(NOTE, to_process)


def to_process(data: dict[str, Any]) -> Process:
    """A process that was kept as JSON."""
    return Process(**data)
