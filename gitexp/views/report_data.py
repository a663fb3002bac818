"""The data for the report's scripts: what its charts draw, and what an iteration shows when it is opened.

People, agents and runs wrote some of it: all text is cut to a length and made printable here. The page escapes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from gitexp.ledger.ledger import Ledger
from gitexp.model import Direction, Iteration, Status, score_text, signed
from gitexp.run.curve import Point
from gitexp.text import one_line, printable, thinned
from gitexp.views.report_details import Details

NEWEST = 2000  # the newest iterations, which are all drawn and stand in the table
SAMPLED = 1000  # of the older iterations, how many are drawn besides all KEEPs
LINE, SHORT, TEXT = 300, 500, 4000  # characters of a line, of an old iteration's text, of a new one's
METRICS = 40
HASH = 12


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """An iteration as a point of the charts."""

    iteration: Iteration
    runs: tuple[float, ...]  # the scores of all its runs, whichever step made them
    memory: float | None
    seconds: float | None  # of one of its runs


def chart_points(ledger: Ledger) -> list[ChartPoint]:
    """All iterations, oldest first; of a long history the newest, the KEEPs, the Pareto fronts, and a sample."""
    everything = _everything(ledger)
    if len(everything) <= NEWEST:
        return everything
    old, new = everything[:-NEWEST], everything[-NEWEST:]
    on_fronts = {identity for front in fronts(ledger, everything).values() for identity in front}
    must = [s for s in old if s.iteration.status is Status.KEEP or s.iteration.id in on_fronts]
    ids = {s.iteration.id for s in (*must, *thinned(old, SAMPLED))}
    return [s for s in old if s.iteration.id in ids] + new


def _everything(ledger: Ledger) -> list[ChartPoint]:
    replicates = ledger.replicates()
    points = []
    for iteration in ledger.iterations:
        m = iteration.measurement
        scores = tuple(score for score in replicates.get(iteration.id, {}).values() if score is not None)
        own = [sample.seconds for sample in m.samples if sample.iteration == iteration.id]
        points.append(ChartPoint(iteration, scores, m.memory_mb, fmean(own) if own else None))
    return points


def fronts(ledger: Ledger, points: Iterable[ChartPoint]) -> dict[str, list[str]]:
    """The Pareto fronts of score against memory and against seconds: ids, the cheapest first."""
    points = list(points)
    return {
        "memory": _front(ledger.contract.direction, [(p.memory, p.iteration) for p in points]),
        "seconds": _front(ledger.contract.direction, [(p.seconds, p.iteration) for p in points]),
    }


def _front(direction: Direction, priced: Iterable[tuple[float | None, Iteration]]) -> list[str]:
    priced_and_scored = [
        (cost, -direction.sign * i.score, i.id) for cost, i in priced if cost is not None and i.score is not None
    ]
    front: list[str] = []
    least = float("inf")
    for _, score, identity in sorted(priced_and_scored):
        if score < least:
            front.append(identity)
            least = score
    return front


def chart_data(ledger: Ledger, points: Sequence[ChartPoint], details: Details, noise: float) -> dict[str, Any]:
    """All that the scripts need, to be dumped as JSON. ``noise`` is the standard deviation of one run's score."""
    return {
        "minimize": ledger.contract.direction is Direction.MINIMIZE,
        "noise": noise,
        "last": ledger.iterations[-1].number,
        "fronts": fronts(ledger, points),
        "points": [_point(point) for point in points],
        "details": {
            p.iteration.id: _iteration_details(p.iteration, details)
            for at, p in enumerate(points, start=NEWEST - len(points))
            if at >= 0 or p.iteration.id in details.diffs
        },
        "curves": _curves(details, ledger.contract.budget),
    }


def _point(point: ChartPoint) -> dict[str, Any]:
    iteration = point.iteration
    return {
        "id": iteration.id,
        "x": iteration.number,
        "y": iteration.score,
        "status": iteration.status.value,
        "said": one_line(iteration.description, LINE),
        "score": score_text(iteration.score),
        "delta": signed(iteration.delta),
        "memory": point.memory,
        "seconds": point.seconds,
        "runs": list(point.runs) if len(point.runs) > 1 else [],
    }


def _iteration_details(iteration: Iteration, details: Details) -> dict[str, Any]:
    """What an iteration shows when it is opened; less if its diff was not gathered."""
    m, notes = iteration.measurement, iteration.notes
    here = iteration.id in details.diffs
    room = TEXT if here else SHORT
    brief = {
        "commit": iteration.commit[:HASH],
        "reason": one_line(iteration.reason, LINE),
        "hypothesis": _text(notes.hypothesis, room),
        "changed": one_line(", ".join(iteration.candidate.changes), LINE),
        "params": one_line(", ".join(f"{name} = {value}" for name, value in iteration.candidate.params), LINE),
    }
    if not here:
        return brief
    return brief | {
        "body": _text(iteration.candidate.body, room),
        "note": _text(notes.note, room),
        "error": one_line(m.error, SHORT),
        "spoiled": [one_line(trouble, LINE) for trouble in m.spoiled],
        "metrics": [[one_line(name, LINE), f"{value:g}"] for name, value in m.metrics[:METRICS]],
        "samples": [[s.iteration, s.seed, score_text(s.score) or "crashed", f"{s.seconds:.1f} s"] for s in m.samples],
        "device": one_line(m.device, LINE),
        "trained_on": one_line(m.data, LINE),
        "diff": printable(details.diffs[iteration.id]),
        "tail": printable("\n".join(details.tails.get(iteration.id, []))),
    }


def _text(text: str | None, limit: int) -> str:
    shown = printable(text or "").strip()
    return shown if len(shown) <= limit else shown[:limit] + "…"


def _curves(details: Details, budget: float) -> dict[str, Any]:
    """The runs' losses over the share of the budget, if all runs tell it; else over the step, or over their order."""
    points = [point for curve in details.curves.values() for point in curve]
    axis = "order"
    if all(point.share is not None or point.seconds is not None for point in points):
        axis = "share"
    elif all(point.step is not None for point in points):
        axis = "step"
    runs = [
        {"id": identity, "x": [_x(p, axis, at, budget) for at, p in enumerate(curve)], "y": [p.loss for p in curve]}
        for identity, curve in details.curves.items()
    ]
    return {"axis": axis, "runs": runs}


def _x(point: Point, axis: str, at: int, budget: float) -> float | None:
    if axis == "share":
        share = (point.seconds or 0.0) / budget if point.share is None else point.share
        return round(100 * share, 2)
    return point.step if axis == "step" else at
