"""What is going on in an experiment right now, read from its files and its history: it disturbs nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from gitexp.files import holder_of
from gitexp.git.repository import Repository
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.run.curve import Point, points
from gitexp.text import from_bytes

READ = 1 << 18  # bytes of a log's end that are looked at


@dataclass(frozen=True, slots=True)
class Running:
    """The run that is under way."""

    iteration: str
    description: str
    run: int  # of its step: the first, the second, …
    spent: float  # seconds since it started
    curve: tuple[Point, ...]
    said: str  # the last line it printed


@dataclass(frozen=True, slots=True)
class Live:
    ledger: Ledger
    holder: str  # the step that is under way; empty when there is none
    loop: str  # the loop
    running: Running | None


def look(repo: Repository, name: str, before: Live | None = None) -> Live:
    """How things are now. The history is read again only when the branch has moved since ``before``."""
    place = ExperimentFiles.of(repo, name)
    tip = history.tip(repo, name)
    ledger = before.ledger if before and before.ledger.tip == tip else history.load(repo, name, tip)
    holder, loop = place.holder()[0], holder_of(place.loop_lock)
    return Live(ledger, holder, loop, _running(place) if holder else None)


def _running(place: ExperimentFiles) -> Running | None:
    candidate, leader = place.read_journal(), place.read_leader()
    if candidate is None or leader is None or not leader.since:
        return None
    run = 1
    while place.log(candidate.label(run + 1)).is_file():
        run += 1
    lines = _end(place.log(candidate.label(run)))
    spent = max(0.0, time.time() - leader.since)
    said = next((line for line in reversed(lines) if line.strip()), "")
    return Running(candidate.id, candidate.description, run, spent, tuple(points(lines)), said)


def _end(log: Path) -> list[str]:
    """The last lines of a log that is being written; the first of them may be cut."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - READ))
            text = from_bytes(file.read(READ)).replace("\r", "\n")
    except FileNotFoundError:
        return []
    lines = text.split("\n")
    return lines[1:] if size > READ else lines
