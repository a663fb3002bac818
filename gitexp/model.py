"""What an experiment is made of: frozen values, no input and no output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import isnan

from gitexp.columns import KEEP, Columns, Row
from gitexp.noise import Settled

BRANCH_PREFIX = "exp/"


class Status(str, Enum):
    KEEP = "KEEP"
    DISCARD = "DISCARD"
    CRASH = "CRASH"

    @property
    def letter(self) -> bytes:
        """What stands for it in a column."""
        return self.value[:1].encode()


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
    iterations: Sequence[Iteration]
    notes: Notes  # what people's sections say now
    sealed: str = ""  # the newest commit that a step made
    strangers: tuple[str, ...] = ()  # commits on the branch since the baseline that no step made, newest first
    displaced: tuple[str, ...] = ()  # iterations whose trailer block something was put after
    remarks: tuple[Remark, ...] = ()  # oldest first
    settled: Settled = field(default_factory=Settled)
    tree: str = ""  # of the tip

    @property
    def columns(self) -> Columns:
        """What can be asked of all iterations at once; those that lie in git bring theirs along."""
        known = getattr(self.iterations, "columns", None)
        return known if isinstance(known, Columns) else Columns().plus(map(row, self.iterations))

    @property
    def baseline(self) -> Iteration:
        return self.iterations[0]

    @property
    def incumbent(self) -> Iteration:
        return self.iterations[self.columns.statuses.rindex(KEEP)]

    def met_by(self, iteration: Iteration) -> Iteration | None:
        """The incumbent that an iteration was compared with; ``None`` for the baseline."""
        at = self.columns.statuses.rfind(KEEP, 0, self.iterations.index(iteration))
        return self.iterations[at] if at >= 0 else None

    @property
    def next_id(self) -> str:
        return identity(self.columns.numbers[-1] + 1)

    def last(self, status: Status, limit: int) -> list[tuple[Iteration, float | None]]:
        """The last so many with a verdict, each with its delta, oldest first."""
        return self.at(self.columns.last(status.letter, limit))

    def at(self, places: Sequence[int]) -> list[tuple[Iteration, float | None]]:
        """The iterations at these places, each with its delta."""
        deltas = self.columns.deltas
        return [(each, _or_none(deltas[at])) for each, at in zip(self._read(places), places, strict=True)]

    def _read(self, places: Sequence[int]) -> Sequence[Iteration]:
        """Those that lie in git are read together."""
        together: Callable[[Sequence[int]], Sequence[Iteration]] | None = getattr(self.iterations, "at", None)
        return together(places) if together else [self.iterations[at] for at in places]

    def noted(self, limit: int) -> Sequence[Iteration]:
        """The last so many that carry a note, oldest first."""
        return self._read(self.columns.last_noted(limit))

    def tried_as(self, patch: str) -> Iterator[Iteration]:
        """The iterations of an edit, newest first."""
        found = (self.iterations[at] for at in self.columns.with_patch(patch)) if patch else ()
        return (iteration for iteration in found if iteration.patch == patch)

    def tests(self) -> dict[str, list[float]]:
        """By iteration, the scores on the held-out split, in the order of the looks."""
        found: dict[str, list[float]] = {}
        columns = self.columns
        own = ((identity(n), test) for n, test in zip(columns.numbers, columns.tests, strict=True) if not isnan(test))
        looks = ((remark.of, remark.score) for remark in self.remarks if remark.kind == "test")
        for of, score in (*own, *looks):
            if score is not None:
                found.setdefault(of, []).append(score)
        return found

    def replicates(self, *steps: Measurement, since: int = 0) -> dict[str, dict[int, float | None]]:
        """Each iteration's scores by seed, from whichever step ran it, ``steps`` under way included; None: a crash.

        Those of the iterations that come before the place ``since`` are left out.
        """
        found: dict[str, dict[int, float | None]] = {}
        sealed = (iteration.measurement for iteration in self.iterations[max(since, 0) :])
        for measurement in (*sealed, *steps):
            for sample in measurement.samples:
                found.setdefault(sample.iteration, {}).setdefault(sample.seed, sample.score)
        return found

    def running_best(self) -> list[float]:
        """The incumbent's score after each iteration."""
        return self.columns.best()

    def count(self, status: Status) -> int:
        return self.columns.statuses.count(status.letter)

    def tally(self) -> str:
        """``3 KEEP, 8 DISCARD, 1 CRASH``."""
        return ", ".join(f"{self.count(status)} {status.value}" for status in Status)

    def with_deltas(self, since: int = 0, until: int | None = None) -> list[tuple[Iteration, float | None]]:
        """The iterations from the place ``since`` on, and before ``until``, each with its delta.

        Both are as in a slice: from the end where they are negative.
        """
        deltas = map(_or_none, self.columns.deltas[since:until])
        return list(zip(self.iterations[since:until], deltas, strict=True))

    def deltas(self) -> list[float | None]:
        """For each iteration, its score less that of the incumbent it met, as it was weighed; ``None`` for the baseline
        and crashes."""
        return [_or_none(delta) for delta in self.columns.deltas]


def row(iteration: Iteration) -> Row:
    """What of an iteration goes into the columns."""
    return Row(
        iteration.status.letter,
        iteration.number,
        bool(iteration.notes.note),
        iteration.score,
        iteration.delta,
        iteration.measurement.test,
        iteration.patch,
    )


def _or_none(value: float) -> float | None:
    return None if isnan(value) else value


def identity(number: int) -> str:
    return f"exp{number:03d}"


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
