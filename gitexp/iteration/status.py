"""Where an experiment stands right now: the step under way or left by a dead gitexp, its run, its loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from gitexp.files import holder_of, open_file
from gitexp.git import refs
from gitexp.git.kept_files import save_changed
from gitexp.git.repository import Repository
from gitexp.iteration.journal import read_journal, read_result
from gitexp.iteration.moving import mover
from gitexp.iteration.overlay import read_loan
from gitexp.ledger import history
from gitexp.ledger.experiment_files import ExperimentFiles, UnreadableNoteError
from gitexp.ledger.ledger import Ledger
from gitexp.model import Measurement, score_text
from gitexp.run.curve import Point, points
from gitexp.run.leader import read_leader
from gitexp.text import from_bytes, visible

READ = 1 << 18  # bytes of a log's end that are looked at


@dataclass(frozen=True, slots=True)
class Pending:
    """A step that is under way, or was when its gitexp died."""

    id: str  # empty when its edit was not taken yet, or its journal is lost
    holder: str  # who is at it; empty when nobody is
    process: int  # of the holder
    measured: Measurement | None  # when the run was over
    unreadable: str = ""  # why its journal cannot be read

    @property
    def state(self) -> str:
        if self.holder:
            return "running"
        return "measured" if self.measured else "interrupted"

    def __str__(self) -> str:
        what = self.holder or "interrupted in its run"
        if self.state == "measured":
            score = score_text(self.measured.score if self.measured else None) or "a crash"
            what = f"measured ({score}), not sealed yet"
        if self.unreadable:
            return f"{self.unreadable} Give the step up with: gitexp abort"
        way_out = "" if self.holder else "; clear it up with: gitexp recover"
        return ": ".join(filter(None, (self.id, what))) + way_out


def pending(repo: Repository, place: ExperimentFiles) -> Pending | None:
    """What is under way in an experiment, or was left by a gitexp that died."""
    holder, process = place.holder()
    try:
        snapshot = read_journal(place)
        if snapshot or holder or mover(place) or read_loan(place) or refs.read(repo, place.ref):
            return Pending(snapshot.candidate.id if snapshot else "", holder, process, read_result(place))
    except UnreadableNoteError as note:
        return Pending("", holder, process, None, note.sentence)
    return None


def late_saves(repo: Repository, place: ExperimentFiles) -> list[str]:
    """A sentence for each save that went into a file which the last step had taken out of the work tree.

    Each is saved as a ref. None while a step is under way.
    """
    return [] if place.holder()[0] else [late_save(*saved) for saved in save_changed(repo, place.kept)]


def late_save(path: str, ref: str) -> str:
    """What is said of such a save; ``ref`` keeps it."""
    return f"{visible(path)} was saved after the last step had put it back: that save is kept as {ref}."


def places(repo: Repository) -> Iterator[ExperimentFiles]:
    """The experiments of this repository that have files here."""
    for directory in sorted(filter(Path.is_dir, repo.private_dir.glob("*"))):
        yield ExperimentFiles.of(repo, unquote(directory.name))


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
    snapshot, leader = read_journal(place), read_leader(place)
    if snapshot is None or leader is None or not leader.since:
        return None
    candidate = snapshot.candidate
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
        with open_file(log) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - READ))
            text = from_bytes(file.read(READ)).replace("\r", "\n")
    except FileNotFoundError:
        return []
    lines = text.split("\n")
    return lines[1:] if size > READ else lines
