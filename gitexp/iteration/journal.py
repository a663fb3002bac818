"""What a step writes down while it runs, so that its death loses nothing: the journal, the result, the evidence.

The journal notes what :mod:`gitexp.iteration.recovery` needs if the step dies. From the moment it stands the edit is
safe, from the moment the result stands the measurement is. The ref ``refs/gitexp/pending/<branch>`` is the journal's
twin in git: it keeps the candidate's tree alive.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from gitexp.git.objects import Entry
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.model import Candidate, Contract, Direction, Frozen, Measurement, Notes, Sample
from gitexp.run.leader import NOTE as LEADER

JOURNAL, RESULT, EVIDENCE = "pending", "result", "evidence"

Files = dict[str, Entry | None]  # by path: what is there, None for nothing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A candidate as it was taken from the work tree, and what is needed to put the work tree back."""

    candidate: Candidate
    base_tree: str  # the tree id of the commit that it is an edit of
    files: Files  # the paths that it changes, with what they hold in it
    notebook: str  # EXPERIMENT.md when its edits went into the candidate's notes
    work_tree: str  # the top of the work tree that it was taken from; empty for an edit that lies in none

    def with_words(self, *, description: str = "", simpler: int = 0) -> Snapshot:
        """The same, with what is said of the edit where that was found out later."""
        candidate = self.candidate
        candidate = replace(
            candidate, description=description or candidate.description, simpler=simpler or candidate.simpler
        )
        return replace(self, candidate=candidate)


def write_journal(place: ExperimentFiles, snapshot: Snapshot) -> None:
    place.write_note(JOURNAL, asdict(snapshot))


def read_journal(place: ExperimentFiles) -> Snapshot | None:
    """The step under way, or the one that died. Raises for a journal that is there and cannot be read."""
    return place.read_note(JOURNAL, _snapshot)


def write_result(place: ExperimentFiles, measurement: Measurement) -> None:
    place.write_note(RESULT, asdict(measurement))


def read_result(place: ExperimentFiles) -> Measurement | None:
    """The finished measurement of the step in the journal. Raises for a result that is there and cannot be read."""
    return place.read_note(RESULT, _measurement)


def write_evidence(place: ExperimentFiles, candidate: Candidate, evidence: Measurement) -> None:
    """Keep the finished replicates of a step that goes on. They outlive it: the same edit need not be run again."""
    place.write_note(EVIDENCE, {"tree": candidate.tree, "base": candidate.base, "measurement": asdict(evidence)})


def read_evidence(place: ExperimentFiles, candidate: Candidate) -> Measurement | None:
    """The replicates that an interrupted step of the same edit had finished."""

    def own(data: dict[str, Any]) -> Measurement | None:
        same = (data["tree"], data["base"]) == (candidate.tree, candidate.base)
        return _measurement(data["measurement"]) if same else None

    return place.read_note(EVIDENCE, own)


def forget_evidence(place: ExperimentFiles) -> None:
    place.forget_note(EVIDENCE)


def clear(place: ExperimentFiles) -> None:
    """Forget the step: its journal last, so that it is there as long as there is something to tell."""
    for note in (LEADER, RESULT, JOURNAL):
        place.forget_note(note)


def to_files(data: dict[str, Any]) -> Files:
    """Files that were kept as JSON."""
    return {path: Entry(**entry) if entry else None for path, entry in data.items()}


def _snapshot(data: dict[str, Any]) -> Snapshot:
    candidate, files = _candidate(data.pop("candidate")), to_files(data.pop("files"))
    return Snapshot(candidate=candidate, files=files, **data)


def _candidate(data: dict[str, Any]) -> Candidate:
    contract = data.pop("contract")
    return Candidate(
        notes=Notes.from_json(data.pop("notes")),
        changes=tuple(data.pop("changes")),
        params=tuple((name, value) for name, value in data.pop("params")),
        contract=_contract(contract) if contract else None,
        **data,
    )


def _measurement(data: dict[str, Any]) -> Measurement:
    samples = tuple(Sample(**sample) for sample in data.pop("samples"))
    metrics = tuple((name, value) for name, value in data.pop("metrics"))
    curve = tuple((tenth, loss) for tenth, loss in data.pop("curve"))
    return Measurement(samples=samples, metrics=metrics, spoiled=tuple(data.pop("spoiled")), curve=curve, **data)


def _contract(data: dict[str, Any]) -> Contract:
    freeze = tuple(Frozen(**frozen) for frozen in data.pop("freeze"))
    edit, guards = tuple(data.pop("edit")), tuple(data.pop("guards"))
    return Contract(freeze=freeze, edit=edit, guards=guards, direction=Direction(data.pop("direction")), **data)
