"""What an experiment is made of: frozen values, no input and no output."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

BRANCH_PREFIX = "exp/"


class Status(str, Enum):
    KEEP = "KEEP"
    DISCARD = "DISCARD"
    CRASH = "CRASH"


class Direction(str, Enum):
    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    def better(self, score: float, than: float) -> bool:
        return score < than if self is Direction.MINIMIZE else score > than

    @property
    def sign(self) -> int:
        """What a score is multiplied with so that higher is better."""
        return 1 if self is Direction.MAXIMIZE else -1

    @property
    def word(self) -> str:
        """Which scores are better."""
        return "lower" if self is Direction.MINIMIZE else "higher"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A path that may not change during the experiment, and the blob id it had at the baseline."""

    path: str
    blob: str


@dataclass(frozen=True, slots=True)
class Contract:
    """What every iteration is held to; sealed in the baseline, never changed. Paths are relative to the top level."""

    metric: str
    direction: Direction
    budget: float  # seconds of training
    timeout: float  # seconds after which the run is ended
    script: str
    edit: tuple[str, ...]
    freeze: tuple[Frozen, ...]
    rule: str
    hook: str  # blob id of the post-run hook
    seed: int
    directory: str = "."  # where the hook runs
    guards: tuple[str, ...] = ()  # limits on other metrics
    one_variable: str = "warn"  # or "strict": an edit of more than one thing is refused
    retries: int = 2  # how often a run may be made again that was spoiled from outside


@dataclass(frozen=True, slots=True)
class Notes:
    """What people say about the experiment. ``None`` means: as it was; an empty value means: cleared."""

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

    samples: tuple[Sample, ...]
    score: float | None = None
    metrics: tuple[tuple[str, float], ...] = ()  # every metric but the contract's
    test: float | None = None
    memory_mb: float | None = None
    device: str = ""
    data: str = ""  # what it was trained and scored on, as the run calls it
    reason: str = ""
    error: str = ""  # the crash's normalised signature
    spoiled: tuple[str, ...] = ()  # what spoiled the runs that were made before these
    curve: tuple[tuple[int, float], ...] = ()  # by tenth of the budget, the mean loss of the first run
    pruned: str = ""  # why the run was ended early, on purpose: then it has no score, and is no crash

    @property
    def seconds(self) -> float:
        return sum(sample.seconds for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Again:
    """No verdict yet: the tree of iteration ``of``, the candidate or its incumbent, has to be run once more."""

    of: str
    seed: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Status
    reason: str
    # The candidate's score less the incumbent's, as the rule weighed them.
    delta: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Iteration:
    """One sealed commit."""

    id: str
    run: str  # unique, so that a copied commit can be told from the one that was sealed
    base: str  # the commit the candidate was an edit of
    tree: str  # what was measured
    status: Status
    description: str
    reason: str
    measurement: Measurement
    notes: Notes = Notes()
    contract: Contract | None = None  # the baseline's only
    body: str = ""
    changes: tuple[str, ...] = ()  # what the edit changes, by syntax
    patch: str = ""  # git's patch id of the edit
    simpler: int = 0  # by how many lines the code became shorter, where that was the point (--simplify)
    params: tuple[tuple[str, str], ...] = ()  # the constants that a sweep set, with their values as source
    delta: float | None = None  # its score less the incumbent's, as the rule weighed them
    commit: str = ""

    @property
    def score(self) -> float | None:
        return self.measurement.score

    @property
    def number(self) -> int:
        return number(self.id)


@dataclass(frozen=True, slots=True)
class Remark:
    """A sealed commit that changes no file and says something of an iteration, or of all of them up to it."""

    kind: str  # "breaker": the circuit breaker was reset; "test": a look at the held-out split
    of: str
    text: str = ""
    score: float | None = None
    base: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The iterations of one experiment as read from its branch, oldest first, the baseline at index 0."""

    name: str
    tip: str
    contract: Contract
    iterations: tuple[Iteration, ...]
    notes: Notes  # what people's sections say now
    sealed: str = ""  # the newest commit that a step made
    strangers: tuple[str, ...] = ()  # commits on the branch since the baseline that no step made, newest first
    displaced: tuple[str, ...] = ()  # iterations whose trailer block something was put after
    remarks: tuple[Remark, ...] = ()  # oldest first

    @property
    def baseline(self) -> Iteration:
        return self.iterations[0]

    @property
    def incumbent(self) -> Iteration:
        return next(i for i in reversed(self.iterations) if i.status is Status.KEEP)

    def met_by(self, iteration: Iteration) -> Iteration | None:
        """The incumbent that an iteration was compared with; ``None`` for the baseline."""
        earlier = self.iterations[: self.iterations.index(iteration)]
        return next((i for i in reversed(earlier) if i.status is Status.KEEP), None)

    @property
    def next_id(self) -> str:
        return f"exp{self.iterations[-1].number + 1:03d}"

    def tests(self) -> dict[str, list[float]]:
        """By iteration, the scores on the held-out split, in the order of the looks."""
        found: dict[str, list[float]] = {}
        own = ((i.id, i.measurement.test) for i in self.iterations)
        looks = ((remark.of, remark.score) for remark in self.remarks if remark.kind == "test")
        for identity, score in (*own, *looks):
            if score is not None:
                found.setdefault(identity, []).append(score)
        return found

    def replicates(self, *steps: Measurement) -> dict[str, dict[int, float | None]]:
        """Each iteration's scores by seed, from whichever step ran it, ``steps`` under way included; None: a crash."""
        found: dict[str, dict[int, float | None]] = {}
        for measurement in (*(iteration.measurement for iteration in self.iterations), *steps):
            for sample in measurement.samples:
                found.setdefault(sample.iteration, {}).setdefault(sample.seed, sample.score)
        return found

    def running_best(self) -> list[float]:
        """The incumbent's score after each iteration."""
        best: list[float] = []
        for iteration in self.iterations:
            kept = iteration.score if iteration.status is Status.KEEP else None
            best.append(best[-1] if kept is None else kept)
        return best

    def count(self, status: Status) -> int:
        return sum(iteration.status is status for iteration in self.iterations)

    def tally(self) -> str:
        """``3 KEEP, 8 DISCARD, 1 CRASH``."""
        return ", ".join(f"{self.count(status)} {status.value}" for status in Status)

    def with_deltas(self) -> list[tuple[Iteration, float | None]]:
        return list(zip(self.iterations, self.deltas(), strict=True))

    def deltas(self) -> list[float | None]:
        """For each iteration, its score less that of the incumbent it met, as it was weighed; ``None`` for the baseline
        and crashes."""
        deltas: list[float | None] = []
        incumbent: float | None = None
        for iteration in self.iterations:
            score = iteration.score
            plain = None if score is None or incumbent is None else score - incumbent
            deltas.append(plain if iteration.delta is None else iteration.delta)
            if iteration.status is Status.KEEP:
                incumbent = iteration.score
        return deltas


def number(identity: str) -> int:
    """The number in an iteration's id."""
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
