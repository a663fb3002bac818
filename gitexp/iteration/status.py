"""Where a step stands: under way, measured, or interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from gitexp.git import refs
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Measurement, score_text


@dataclass(frozen=True, slots=True)
class Pending:
    """A step that is under way, or was when its gitexp died."""

    id: str  # empty when its edit was not taken yet, or its journal is lost
    holder: str  # who is at it; empty when nobody is
    process: int  # of the holder
    measured: Measurement | None  # when the run was over

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
        way_out = "" if self.holder else "; clear it up with: gitexp recover"
        return ": ".join(filter(None, (self.id, what))) + way_out


def pending(repo: Repository, place: ExperimentFiles) -> Pending | None:
    """What is under way in an experiment, or was left by a gitexp that died."""
    (holder, process), candidate = place.holder(), place.read_journal()
    if candidate or holder or place.mover() or place.read_borrowed() or refs.read(repo, place.ref):
        return Pending(candidate.id if candidate else "", holder, process, place.read_result())
    return None


def places(repo: Repository) -> Iterator[ExperimentFiles]:
    """The experiments of this repository that have files here."""
    folder = repo.private_dir
    for directory in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield ExperimentFiles.of(repo, unquote(directory.name))
