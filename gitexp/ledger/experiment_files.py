"""What a step keeps on disk while it runs: the lock, the journal, the result, the logs.

All of it lives in ``<git directory>/gitexp/<experiment>/``, shared by the work trees of a repository. The journal says
what to do if the step dies: from the moment it stands the edit is safe, from the moment the result stands the
measurement is. The ref ``refs/gitexp/pending/<branch>`` is its twin in git: it keeps the candidate's tree alive.
Beside them stand, while they are true, the run's leading process and who is moving git's refs and index.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from gitexp.files import holder_of, lock, remove_folder, write_file
from gitexp.git import refs
from gitexp.git.objects import Entry
from gitexp.git.repository import Repository
from gitexp.model import BRANCH_PREFIX, Contract, Direction, Frozen, Measurement, Notes, Sample
from gitexp.text import from_bytes

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Candidate:
    """The tree under test, and everything its commit will say apart from what is measured."""

    id: str
    run: str
    base: str  # commit id
    base_tree: str
    tree: str
    files: dict[str, Entry | None]  # by path: what the candidate has there, None when it is gone
    description: str
    body: str
    notes: Notes
    notebook: str  # EXPERIMENT.md as it was when its edits went into notes
    work_tree: str  # the top of the one it is tried in
    changes: tuple[str, ...] = ()  # what the edit changes, by syntax
    patch: str = ""  # git's patch id of the edit
    simpler: int = 0  # by how many lines the code became shorter, where that is the point of the edit
    params: tuple[tuple[str, str], ...] = ()  # the constants that a sweep sets, with their values as source
    contract: Contract | None = None  # the baseline's only

    def label(self, run: int) -> str:
        """What the log of its first, second, … run is called, the incumbent's among them."""
        return self.id if run == 1 else f"{self.id}.{run}"


@dataclass(frozen=True, slots=True)
class Process:
    """A process, named so that a later one of the same pid is not taken for it. Times are seconds since the epoch."""

    pid: int
    since: float


@dataclass(frozen=True, slots=True)
class ExperimentFiles:
    """One experiment's private files."""

    directory: Path
    branch: str

    @classmethod
    def of(cls, repo: Repository, name: str) -> ExperimentFiles:
        return cls(repo.private_dir / quote(name, safe=""), BRANCH_PREFIX + name)

    @property
    def name(self) -> str:
        return self.branch.removeprefix(BRANCH_PREFIX)

    @property
    def ref(self) -> str:
        return refs.pending(self.branch)

    @property
    def run_dir(self) -> Path:
        return self.directory / "run"

    @property
    def rendered(self) -> Path:
        """EXPERIMENT.md as it was last computed: what people changed since is what differs from this."""
        return self.directory / "EXPERIMENT.md"

    @property
    def loop_lock(self) -> Path:
        """Held by a loop as long as it goes on, between its steps too."""
        return self.directory / "loop.lock"

    def log(self, iteration: str) -> Path:
        return self.directory / "logs" / f"{iteration}.log"

    def curve_file(self, iteration: str) -> Path:
        """A run's loss over time, for :func:`gitexp.run.curve.read`."""
        return self.directory / "logs" / f"{iteration}.curve.jsonl"

    def log_tail(self, iteration: str, lines: int) -> list[str]:
        """The end of what a run printed; empty where its log is not on this machine."""
        log = self.log(iteration)
        text = from_bytes(log.read_bytes()) if log.is_file() else ""
        return text.replace("\r", "\n").rstrip().split("\n")[-lines:] if text else []

    @contextmanager
    def locked(self, repo: Repository, purpose: str) -> Iterator[None]:
        """Hold the experiment's lock, and the work tree's: two experiments would run each other's edits.

        Raises at once, naming the holder, when another process has either.
        """
        mine, here = self.directory / "lock", repo.work_tree_lock
        with lock(mine, self.branch, purpose), lock(here, "This work tree", purpose):
            yield

    def holder(self) -> tuple[str, int]:
        """Who is at this experiment, and its process; empty and 0 when nobody is."""
        holder = holder_of(self.directory / "lock")
        found = re.search(r"process (\d+)", holder)
        return holder, int(found[1]) if found else 0

    def fresh_run_dir(self) -> Path:
        """An empty folder for a run, whatever the one before left in it."""
        try:
            self.run_dir.rmdir()  # most runs leave nothing, and this is quick
        except OSError:
            remove_folder(self.run_dir)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        return self.run_dir

    # -- the journal and the result ----------------------------------------------------------------------------------

    def write_journal(self, candidate: Candidate) -> None:
        write_file(self.directory / "pending.json", json.dumps(asdict(candidate)).encode())

    def read_journal(self) -> Candidate | None:
        return _read(self.directory / "pending.json", _candidate)

    def write_result(self, measurement: Measurement) -> None:
        write_file(self.directory / "result.json", json.dumps(asdict(measurement)).encode())

    def read_result(self) -> Measurement | None:
        return _read(self.directory / "result.json", _measurement)

    def write_evidence(self, candidate: Candidate, evidence: Measurement) -> None:
        """The finished replicates of a step that goes on. They outlive it: the same edit need not be run again."""
        data = {"tree": candidate.tree, "base": candidate.base, "evidence": asdict(evidence)}
        write_file(self.directory / "evidence.json", json.dumps(data).encode())

    def read_evidence(self, candidate: Candidate) -> Measurement | None:
        """What an interrupted step of the same edit had measured."""

        def own(data: dict[str, Any]) -> Measurement | None:
            same = (data["tree"], data["base"]) == (candidate.tree, candidate.base)
            return _measurement(data["evidence"]) if same else None

        return _read(self.directory / "evidence.json", own)

    def forget_evidence(self) -> None:
        (self.directory / "evidence.json").unlink(missing_ok=True)

    def write_borrowed(self, held: Mapping[str, Entry | None], wanted: Mapping[str, Entry | None]) -> None:
        """What the work tree held and what it is to hold for a while."""
        sides = [{path: asdict(e) if e else None for path, e in side.items()} for side in (held, wanted)]
        write_file(self.directory / "borrowed.json", json.dumps({"held": sides[0], "wanted": sides[1]}).encode())

    def read_borrowed(self) -> tuple[dict[str, Entry | None], dict[str, Entry | None]] | None:
        return _read(self.directory / "borrowed.json", lambda data: (_files(data["held"]), _files(data["wanted"])))

    def forget_borrowed(self) -> None:
        (self.directory / "borrowed.json").unlink(missing_ok=True)

    def write_rendering(self, before: str, computed: str) -> None:
        """While EXPERIMENT.md is being replaced: what it was before, and what was computed."""
        write_file(self.directory / "rendering.json", json.dumps([before, computed]).encode())

    def read_rendering(self) -> tuple[str, str] | None:
        return _read(self.directory / "rendering.json", lambda data: (str(data[0]), str(data[1])))

    def forget_rendering(self) -> None:
        (self.directory / "rendering.json").unlink(missing_ok=True)

    def write_leader(self, leader: Process) -> None:
        """The process that leads the run."""
        write_file(self.directory / "running.json", json.dumps(asdict(leader)).encode())

    def read_leader(self) -> Process | None:
        return _read(self.directory / "running.json", _process)

    def write_proposing(self, can_be_made_again: bool) -> None:
        """While a loop's proposer edits, and until its edit is a candidate: what then lies in the work tree is its."""
        write_file(self.directory / "proposing.json", json.dumps(can_be_made_again).encode())

    def proposing(self) -> bool | None:
        """Whether what lies in the work tree can be made again; ``None`` when it is no proposer's."""
        return _read(self.directory / "proposing.json", bool)

    def forget_proposing(self) -> None:
        (self.directory / "proposing.json").unlink(missing_ok=True)

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Note that this process moves refs or the index, while it does.

        If it dies meanwhile, :mod:`gitexp.iteration.stale_locks` knows the locks it left for gitexp's own.
        """
        note = Process(os.getpid(), time.time())
        write_file(self.directory / "moving.json", json.dumps(asdict(note)).encode())
        try:
            yield
        finally:
            self.forget_mover()

    def mover(self) -> Process | None:
        return _read(self.directory / "moving.json", _process)

    def forget_mover(self) -> None:
        (self.directory / "moving.json").unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget the step: its journal last, so that it is there as long as there is something to tell."""
        for name in ("running.json", "result.json", "pending.json"):
            (self.directory / name).unlink(missing_ok=True)


def _read(path: Path, make: Callable[[Any], Value | None]) -> Value | None:
    """What a file of ours holds. A power cut may leave an empty one: then there is nothing to go by."""
    try:
        return make(json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError, LookupError, AttributeError):
        return None


def _process(data: dict[str, Any]) -> Process:
    return Process(**data)


def _candidate(data: dict[str, Any]) -> Candidate:
    contract = data.pop("contract")
    return Candidate(
        files=_files(data.pop("files")),
        notes=to_notes(data.pop("notes")),
        changes=tuple(data.pop("changes")),
        params=tuple((name, value) for name, value in data.pop("params", ())),
        contract=_contract(contract) if contract else None,
        **data,
    )


def _files(data: dict[str, Any]) -> dict[str, Entry | None]:
    return {path: Entry(**entry) if entry else None for path, entry in data.items()}


def _measurement(data: dict[str, Any]) -> Measurement:
    samples = tuple(Sample(**sample) for sample in data.pop("samples"))
    metrics = tuple((name, value) for name, value in data.pop("metrics"))
    curve = tuple((tenth, loss) for tenth, loss in data.pop("curve"))
    return Measurement(samples=samples, metrics=metrics, spoiled=tuple(data.pop("spoiled")), curve=curve, **data)


def to_notes(data: dict[str, Any]) -> Notes:
    """Notes that were kept as JSON."""
    for key in ("constraints", "next"):
        data[key] = None if data[key] is None else tuple(data[key])
    return Notes(**data)


def _contract(data: dict[str, Any]) -> Contract:
    freeze = tuple(Frozen(**frozen) for frozen in data.pop("freeze"))
    edit, guards = tuple(data.pop("edit")), tuple(data.pop("guards"))
    return Contract(freeze=freeze, edit=edit, guards=guards, direction=Direction(data.pop("direction")), **data)
