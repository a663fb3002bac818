"""What each command costs as the history grows, and as the repository does: a table, and a picture of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from gitexp.extras import needs_extra

from . import peers
from .loops import in_process
from .processes import gitexp, step
from .repositories import repository, unread
from .rows import MIDDLE, SHORT, SMALL, rebuild

FEW = 5  # steps of one measurement: more would lengthen a short history
LABELS = {"iterations": f"iterations in the history ({SMALL} files)", "files": f"files ({MIDDLE:,} iterations)"}
PEERS = {"the bash protocol": "black", "git printing the history": "#888888"}


@dataclass(frozen=True, slots=True)
class Curve:
    """Milliseconds (medians) by size: ``of`` iterations, or files."""

    name: str
    of: str
    points: tuple[tuple[int, float], ...]


Sides = dict[str, Callable[[], float]]


def by_iterations(count: int) -> Sides:
    def place(purpose: str) -> Path:
        return repository(count, SMALL, f"grown-{purpose}")

    return {
        "views from nothing": lambda: rebuild(count),
        "git printing the history": lambda: peers.printing(unread(count)),
        "gitexp step": lambda: step(place("step")),
        "gitexp log -n 20": lambda: gitexp("log", "-n", "20", folder=repository(count)),
        "gitexp status": lambda: gitexp("status", folder=repository(count)),
        "gitexp brief": lambda: gitexp("brief", folder=repository(count)),
        "a step in one process": lambda: in_process(place("steps"), FEW),
        "the bash protocol": lambda: peers.protocol(place("bash")),
    }


def by_files(count: int) -> Sides:
    def place(purpose: str) -> Path:
        return repository(MIDDLE, count, f"wide-{purpose}")

    return {
        "gitexp step": lambda: step(place("step")),
        "gitexp log -n 20": lambda: gitexp("log", "-n", "20", folder=place("step")),
        "gitexp status": lambda: gitexp("status", folder=place("step")),
        "a step in one process": lambda: in_process(place("steps"), FEW),
        "the bash protocol": lambda: peers.protocol(place("bash")),
    }


def curves(of: str, sides: Callable[[int], Sides], sizes: list[int], rounds: int) -> list[Curve]:
    """At each size the sides take turns; the first turn does not count."""
    found: dict[str, list[tuple[int, float]]] = {}
    for size in sizes:
        here = sides(size)
        turns = [{name: run() for name, run in here.items()} for _ in range(rounds + 1)][1:]
        for name in here:
            found.setdefault(name, []).append((size, median(turn[name] for turn in turns)))
    return [Curve(name, of, tuple(points)) for name, points in found.items()]


def grown(longest: int, largest: int, rounds: int) -> list[Curve]:
    lengths, widths = list(_decades(SHORT, longest)), list(_decades(SMALL, largest))
    return curves("iterations", by_iterations, lengths, rounds) + curves("files", by_files, widths, rounds)


def _decades(first: int, last: int) -> Iterator[int]:
    """Ten times more each, and the last."""
    while first < last:
        yield first
        first *= 10
    yield last


def markdown(measured: list[Curve]) -> str:
    """A table for each kind of size, in milliseconds."""
    tables = []
    for of, label in LABELS.items():
        some = [curve for curve in measured if curve.of == of]
        head = [f"ms, by {label}", *(f"{size:,}" for size, _ in some[0].points)]
        cells = [[curve.name, *(f"{value:,.1f}" for _, value in curve.points)] for curve in some]
        tables.append("\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *cells)))
    return "\n\n".join(tables)


def draw(measured: list[Curve], into: Path) -> list[Path]:
    """Both as one picture, in two formats."""
    with needs_extra("The picture", "plot"):
        from matplotlib.figure import Figure  # noqa: PLC0415  most benches draw nothing
    figure = Figure(figsize=(12, 6), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = list(dict.fromkeys(curve.name for curve in measured))
    for axes, (of, label) in zip((left, right), LABELS.items(), strict=True):
        for curve in (curve for curve in measured if curve.of == of):
            _line(axes, curve, names.index(curve.name))
        axes.set(xscale="log", yscale="log", xlabel=label)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            axis.set_minor_formatter("")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_ylabel("milliseconds")
    figure.suptitle("What gitexp costs as the history grows, and as the repository does (medians)")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    into.mkdir(parents=True, exist_ok=True)
    files = [into / f"growth.{ending}" for ending in ("png", "svg")]
    for file in files:
        figure.savefig(file)
    return files


def _line(axes: Any, curve: Curve, number: int) -> None:
    looks = {"linestyle": "--", "color": PEERS[curve.name]} if curve.name in PEERS else {"color": f"C{number}"}
    sizes, values = zip(*curve.points, strict=True)
    axes.plot(sizes, values, marker="os^vDPX*"[number], markersize=6, label=curve.name, **looks)
