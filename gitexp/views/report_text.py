"""The report's text, computed from the ledger: the figures at its top, its table, what was learned."""

from __future__ import annotations

from dataclasses import dataclass

from gitexp.ledger.ledger import Ledger
from gitexp.model import BRANCH_PREFIX, Iteration, Status, score_text, signed
from gitexp.text import one_line, plural, short, text_cell, visible, visible_list
from gitexp.verdict.breaker import tripped
from gitexp.verdict.diagnosis import Diagnosis, diagnose
from gitexp.verdict.rules import run_noise
from gitexp.views.experiment_md import LEARNED, SHOWN
from gitexp.views.report_data import NEWEST, ChartPoint
from gitexp.views.report_details import Details

LINE = 300  # characters


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value, with a note below it in small print."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """An iteration in the table."""

    id: str
    status: str
    score: str
    delta: str
    memory: str
    seconds: str
    description: str


@dataclass(frozen=True, slots=True)
class Lessons:
    """The newest iterations with one verdict."""

    title: str
    items: tuple[Fact, ...]  # id, description, and the delta or the reason
    left: int  # how many older ones there are


@dataclass(frozen=True, slots=True)
class CrashGroup:
    """All crashes with one error."""

    ids: str
    diagnosis: Diagnosis
    error: str


@dataclass(frozen=True, slots=True)
class ReportText:
    """What the template is given. It escapes all of it."""

    title: str
    branch: str
    goal: str
    metric: str
    better: str  # "lower" or "higher"
    warning: str
    tiles: tuple[Fact, ...]
    noise: float  # standard deviation of a run's score; 0 when it is not known
    rows: tuple[TableRow, ...]
    left_out: str
    lessons: tuple[Lessons, ...]
    crashes: tuple[CrashGroup, ...]
    hypothesis: str
    constraints: tuple[str, ...]
    next: tuple[str, ...]
    contract: tuple[Fact, ...]
    tip: str


def report_text(ledger: Ledger, points: list[ChartPoint], details: Details) -> ReportText:
    """All text of the report but the details of iterations. ``points`` are the charts', oldest first."""
    notes, contract, noise = ledger.notes, ledger.contract, run_noise(ledger)
    return ReportText(
        title=one_line(visible(ledger.name), LINE),
        branch=one_line(visible(BRANCH_PREFIX + ledger.name), LINE),
        goal=notes.goal or "",
        metric=one_line(visible(contract.metric), 60),
        better=contract.direction.word,
        warning=_warning(ledger),
        tiles=_tiles(ledger, noise),
        noise=noise,
        rows=tuple(_row(point) for point in reversed(points[-NEWEST:])),
        left_out=_left_out(ledger, points),
        lessons=tuple(_lessons(ledger)),
        crashes=_crashes(ledger, details),
        hypothesis=notes.hypothesis or "",
        constraints=notes.constraints or (),
        next=notes.next or (),
        contract=_contract(ledger),
        tip=short(ledger.tip),
    )


def _warning(ledger: Ledger) -> str:
    if crashes := tripped(ledger):
        return f"The circuit breaker is open since {crashes[-1].id}: gitexp breaker says why, and what to do."
    return ""


def _tiles(ledger: Ledger, noise: float) -> tuple[Fact, ...]:
    first, best = ledger.baseline, ledger.incumbent
    gain = None if first.score is None or best.score is None else best.score - first.score
    counts = ", ".join(f"{ledger.count(status):,} {status.value}" for status in Status)
    return (
        Fact("Best", score_text(best.score), f"{best.id}: {one_line(best.description, 80)}"),
        Fact("From the baseline", signed(gain) if gain else "0", f"{first.id} scored {score_text(first.score)}"),
        Fact("Iterations", f"{len(ledger.iterations):,}", counts),
        Fact("Noise of a run", score_text(noise) if noise else "unknown", "standard deviation of its score"),
    )


def _row(point: ChartPoint) -> TableRow:
    iteration, m = point.iteration, point.iteration.measurement
    return TableRow(
        id=iteration.id,
        status=iteration.status.value,
        score=score_text(m.score),
        delta=signed(iteration.delta),
        memory="" if m.memory_mb is None else f"{m.memory_mb:.1f}",
        seconds=f"{m.seconds:.1f}",
        description=text_cell(one_line(iteration.description, LINE)),
    )


def _left_out(ledger: Ledger, points: list[ChartPoint]) -> str:
    count = len(ledger.iterations)
    if len(points) == count:
        return ""
    return (
        f"The newest {NEWEST:,} of {count:,}: gitexp log has all of them. The charts have {len(points):,}: these, "
        "every KEEP, those on the Pareto fronts, and a sample of the others."
    )


def _lessons(ledger: Ledger) -> list[Lessons]:
    after_baseline = ledger.iterations[1:]
    groups = []
    for status, title in LEARNED.items():
        of_it = [iteration for iteration in after_baseline if iteration.status is status]
        newest = tuple(map(_lesson, reversed(of_it[-SHOWN:])))
        groups.append(Lessons(title, newest, len(of_it) - len(newest)))
    return groups


def _lesson(iteration: Iteration) -> Fact:
    came = one_line(iteration.reason, LINE) if iteration.delta is None else signed(iteration.delta)
    return Fact(iteration.id, one_line(iteration.description, LINE), came)


def _crashes(ledger: Ledger, details: Details) -> tuple[CrashGroup, ...]:
    """The crashes by error, the newest first."""
    by_error: dict[str, list[Iteration]] = {}
    for iteration in reversed(ledger.iterations):
        if iteration.status is Status.CRASH:
            by_error.setdefault(iteration.measurement.error or iteration.reason, []).append(iteration)
    return tuple(_crash(error, crashes, details) for error, crashes in list(by_error.items())[:SHOWN])


def _crash(error: str, crashes: list[Iteration], details: Details) -> CrashGroup:
    ids = ", ".join(iteration.id for iteration in crashes[:5])
    more = f" and {plural(len(crashes) - 5, 'other')}" if len(crashes) > 5 else ""
    return CrashGroup(ids + more, diagnose(crashes[0], details.tails.get(crashes[0].id, [])), one_line(error, LINE))


def _contract(ledger: Ledger) -> tuple[Fact, ...]:
    contract, first = ledger.contract, ledger.baseline.measurement
    frozen = visible_list(contract.frozen)
    facts = (
        Fact("Metric", f"{visible(contract.metric)} ({contract.direction.value})"),
        Fact("Rule", contract.rule),
        Fact("Limits", ", ".join(contract.guards)),
        Fact("Budget", f"{contract.budget:g} s of training with {visible(contract.script)}"),
        Fact("Ended after", f"{contract.timeout:g} s"),
        Fact("May change", visible_list(contract.edit)),
        Fact("Frozen", frozen),
        Fact("First seed", str(contract.seed)),
        Fact("Device", first.device),
        Fact("Data", first.data),
    )
    return tuple(Fact(fact.name, one_line(fact.value, LINE)) for fact in facts if fact.value)
