"""What an experiment is made of: frozen values, no input and no output. :mod:`gitexp.ledger` has a glossary."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any
from urllib.parse import quote

BRANCH_PREFIX = "exp/"
RESULTS = "results.tsv"
NOTEBOOK = "EXPERIMENT.md"
VIEWS = (RESULTS, NOTEBOOK)  # files that are computed from the history, and are in no iteration's tree
BASELINE_REASON = "the baseline"  # it is kept without a verdict
IN_PLACE, CLEAN_TREE = "the work tree", "a clean tree"
RECORDS = "experiments"  # where a review keeps both: at the top level they would be in the next experiment's way


class Status(str, Enum):
    """What a verdict comes to."""

    KEEP = "KEEP"
    DISCARD = "DISCARD"
    CRASH = "CRASH"

    @property
    def letter(self) -> bytes:
        """The letter that stands for it in a column (:mod:`gitexp.ledger.columns`)."""
        return self.value[:1].encode()


class Direction(str, Enum):
    """Which scores are better."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    def better(self, score: float, than: float) -> bool:
        """Whether a score is strictly better than another."""
        return score < than if self is Direction.MINIMIZE else score > than

    @property
    def sign(self) -> int:
        """1 or -1: a score times this is better where it is higher."""
        return 1 if self is Direction.MAXIMIZE else -1

    @property
    def word(self) -> str:
        """``lower`` or ``higher``: which scores are better."""
        return "lower" if self is Direction.MINIMIZE else "higher"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A path that may not change during the experiment, and the blob id it had at the baseline."""

    path: str
    blob: str


@dataclass(frozen=True, slots=True)
class FrozenData:
    """A file that may not change during the experiment, and that git does not hold; its size is in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Contract:
    """What every iteration is held to; sealed in the baseline, never changed. Paths are relative to the top level."""

    metric: str  # the name of the score
    direction: Direction
    budget: float  # seconds of training
    timeout: float  # seconds after which the run is ended
    script: str
    edit: tuple[str, ...]
    freeze: tuple[Frozen, ...]
    rule: str  # with all its parameters: gitexp.verdict.rules reads it
    hook: str  # blob id of the post-run hook
    seed: int  # of each candidate's first run
    directory: str = "."  # where the hook runs
    guards: tuple[str, ...] = ()  # limits on other metrics
    one_variable: str = "warn"  # or "strict": an edit of more than one thing is refused
    retries: int = 2  # how often a run may be made again that was spoiled from outside
    runs_in: str = IN_PLACE  # where candidates run: there, or in a CLEAN_TREE
    links: tuple[str, ...] = ()  # what a run needs and git ignores: linked into the clean tree
    data: tuple[FrozenData, ...] = ()

    @property
    def in_place(self) -> bool:
        """Whether candidates run in the person's own work tree."""
        return self.runs_in == IN_PLACE

    @property
    def home(self) -> str:
        """The folder of the script, ``.`` for the top level: the views lie there, beside the script."""
        return posixpath.dirname(self.script) or "."

    @property
    def views(self) -> tuple[str, ...]:
        """The paths of the files that gitexp computes."""
        return tuple(view_path(self.home, name) for name in VIEWS)

    @property
    def frozen(self) -> tuple[str, ...]:
        """The paths of all files that may not change."""
        return (*(each.path for each in self.freeze), *(each.path for each in self.data))

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that it names; a link beside the work tree stands as its name."""
        links = (path.removeprefix("../") for path in self.links)
        return (self.script, self.directory, *self.edit, *self.frozen, *links)


@dataclass(frozen=True, slots=True)
class Notes:
    """What people say of the experiment. ``None`` leaves a field as it was; an empty value clears it."""

    goal: str | None = None
    hypothesis: str | None = None
    constraints: tuple[str, ...] | None = None
    next: tuple[str, ...] | None = None
    note: str | None = None

    def over(self, older: Notes) -> Notes:
        """These notes, and ``older`` where these say nothing. A note belongs to one iteration and is not inherited."""
        return Notes(
            goal=older.goal if self.goal is None else self.goal,
            hypothesis=older.hypothesis if self.hypothesis is None else self.hypothesis,
            constraints=older.constraints if self.constraints is None else self.constraints,
            next=older.next if self.next is None else self.next,
            note=self.note,
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Notes:
        """The notes that ``dataclasses.asdict`` and JSON made ``data`` of."""
        lists = {key: None if data[key] is None else tuple(data[key]) for key in ("constraints", "next")}
        return cls(**{**data, **lists})

    def beside(self, written: Notes) -> Notes:
        """These notes and those ``written`` for the same iteration: both notes count, elsewhere these go first."""
        note = "\n\n".join(filter(None, (self.note, written.note)))
        return replace(self.over(written), note=note or None)


@dataclass(frozen=True, slots=True)
class Sample:
    """One replicate: one execution of the hook on the tree of ``iteration``."""

    iteration: str
    seed: int
    seconds: float
    score: float | None  # None: it crashed


@dataclass(frozen=True, slots=True)
class Measurement:
    """What running the candidate brought. ``score`` is ``None`` for a crash; ``reason`` and ``error`` then say why."""

    samples: tuple[Sample, ...]  # the candidate's, and the incumbent's where that was run again
    score: float | None = None
    metrics: tuple[tuple[str, float], ...] = ()  # every metric but the contract's
    test: float | None = None
    memory_mb: float | None = None  # as the run printed it: MiB by gitexp's own trainers, others may print MB
    device: str = ""
    data: str = ""  # what it was trained and scored on, as the run calls it
    reason: str = ""
    error: str = ""  # the crash's normalised signature
    spoiled: tuple[str, ...] = ()  # what spoiled the runs that were made before these
    curve: tuple[tuple[int, float], ...] = ()  # by tenth of the budget, the mean loss of the first run
    pruned: str = ""  # why the run was ended early, on purpose: then it has no score, and is no crash

    @property
    def seed(self) -> int:
        """The first run's."""
        return self.samples[0].seed

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of all runs."""
        return sum(sample.seconds for sample in self.samples)


@dataclass(frozen=True, slots=True)
class ReplicateRequest:
    """No verdict yet: the tree of iteration ``of``, the candidate or its incumbent, has to be run once more."""

    of: str
    seed: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a candidate.

    ``lead``, ``noise`` and ``evidence`` are what the rule weighed. A commit holds them as words in the reason only, so
    they are ``None`` in what is read back from history; :func:`gitexp.verdict.rules.decide_again` gives them there.
    They are ``None`` too where no rule came to weigh anything: for a CRASH, a pruned run and a broken guard.
    """

    status: Status
    reason: str
    # The candidate's score less the incumbent's, as the rule weighed them.
    delta: float | None = field(default=None, compare=False)
    lead: float | None = field(default=None, compare=False)  # delta with the sign by which higher is better
    noise: float | None = field(default=None, compare=False)  # standard deviation of the lead; None: not weighed
    # The lead over its noise, as a standard normal deviate; None where the noise is 0, or not weighed.
    evidence: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """The tree under test, and what its commit says apart from the verdict and what was measured."""

    id: str
    run: str  # unique, so that a copied commit can be told from the one that was sealed
    base: str  # the commit that it is an edit of
    tree: str
    description: str
    body: str = ""
    notes: Notes = Notes()
    changes: tuple[str, ...] = ()  # what the edit changes, by syntax
    patch: str = ""  # git's patch id of the edit
    simpler: int = 0  # by how many lines the code became shorter, where that is the point (--simplify)
    params: tuple[tuple[str, str], ...] = ()  # the constants that a sweep set, with their values as source
    contract: Contract | None = None  # the baseline's only

    def label(self, run: int) -> str:
        """The name of the log of its first, second, … run, the incumbent's among them: ``exp005-1a2b3c4d.2``.

        It belongs to the run, not to the id: another branch, or the same one begun anew, has the same ids.
        """
        name = f"{self.id}-{quote(self.run[:8], safe='')}"  # what a branch from elsewhere says is no path
        return name if run == 1 else f"{name}.{run}"


@dataclass(frozen=True, slots=True)
class Iteration:
    """One sealed commit: a candidate, the verdict on it, and the measurement that the verdict stands on."""

    candidate: Candidate
    verdict: Verdict
    measurement: Measurement
    commit: str = ""

    @property
    def id(self) -> str:
        return self.candidate.id

    @property
    def number(self) -> int:
        return number(self.id)

    @property
    def base(self) -> str:
        return self.candidate.base

    @property
    def tree(self) -> str:
        return self.candidate.tree

    @property
    def description(self) -> str:
        return self.candidate.description

    @property
    def notes(self) -> Notes:
        return self.candidate.notes

    @property
    def contract(self) -> Contract | None:
        return self.candidate.contract

    @property
    def status(self) -> Status:
        return self.verdict.status

    @property
    def reason(self) -> str:
        return self.verdict.reason

    @property
    def delta(self) -> float | None:
        return self.verdict.delta

    @property
    def score(self) -> float | None:
        return self.measurement.score


@dataclass(frozen=True, slots=True)
class Remark:
    """A sealed commit that changes no file and says something of an iteration, or of all of them up to it."""

    kind: str  # "breaker": the circuit breaker was reset; "test": a look at the held-out split
    of: str
    text: str = ""
    score: float | None = None
    base: str = ""
    commit: str = ""


ID = "exp(?:[0-9]{3}|[1-9][0-9]{3,8})"  # a regular expression: the id of one iteration in one way only


def identity(number: int) -> str:
    """The id of the iteration with a number, counted from 0: ``exp004``."""
    return f"exp{number:03d}"


def number(identity: str) -> int:
    """The number in an iteration's id. Raises :class:`ValueError` for a text that is not an id."""
    if not re.fullmatch(ID, identity):
        raise ValueError(f"{identity!r} is not an id")
    return int(identity.removeprefix("exp"))


def score_text(score: float | None) -> str:
    """A score as people read it: six decimals, as in published tables, or six digits when it is very small or large."""
    if score is None:
        return ""
    return f"{score:.6f}" if score == 0 or 1e-3 <= abs(score) < 1e7 else f"{score:.6g}"


def signed(delta: float | None) -> str:
    """A difference of scores as people read it."""
    if delta is None:
        return ""
    return ("+" if delta >= 0 else "-") + score_text(abs(delta))


def headline(iteration: Iteration) -> str:
    """``exp004 KEEP 1.807902: depth 8 -> 4``: the commit's subject."""
    head = " ".join(filter(None, (iteration.id, iteration.status.value, score_text(iteration.score))))
    return f"{head}: {iteration.description}"


def view_path(home: str, name: str) -> str:
    """The path of the view ``name`` beside a script in the folder ``home``."""
    return posixpath.normpath(f"{home}/{name}")
