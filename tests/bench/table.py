"""The rows as text: Markdown for people and the manual, JSON for machines."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from pathlib import Path

from .harness import Result, Row

COSTS = Path(__file__).parents[2] / "gitexp" / "manual" / "costs.md"
HEAD = "| what | against | ratio (lowest to highest) | aim | measured |\n| --- | --- | --- | --- | --- |"
_MARKED = re.compile(r"(?<=<!-- python -m tests\.bench --manual -->\n).*?(?=<!-- end -->)", re.DOTALL)


def line(result: Result) -> str:
    spread = f"{_figure(result.ratio)} ({_figure(result.low)} to {_figure(result.high)})"
    sides = f"{_figure(result.measured)} against {_figure(result.baseline)} {result.row.unit}"
    return f"{key(result.row)} {_figure(result.ratio) if result.row.once else spread} | {_aim(result.row)} | {sides} |"


def missing(row: Row, why: str) -> str:
    return f"{key(row)} | {_aim(row)} | {why} |"


def key(row: Row) -> str:
    """The cells that name a row."""
    return f"| {row.what} | {row.against} |"


def _aim(row: Row) -> str:
    return "none" if row.aim is None else f"{row.aim:g}"


def _figure(value: float) -> str:
    """Three digits, or all there are before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def as_json(result: Result) -> str:
    row = result.row
    facts = {"name": row.name, "what": row.what, "against": row.against, "aim": row.aim, "unit": row.unit}
    figures = {key: getattr(result, key) for key in ("ratio", "low", "high", "measured", "baseline", "note")}
    return json.dumps(facts | figures | {"at": time.time()})


def in_manual() -> list[str]:
    """The lines of the manual's table, below its head."""
    found = _MARKED.search(COSTS.read_text())
    if not found:
        raise SystemExit(f"{COSTS} has no place for the table.")
    return found[0].strip().split("\n")[2:]


def write_manual(rows: Iterable[Row], measured: Iterable[str]) -> None:
    """Put the lines of what was measured into the manual's table; the others stay as they are."""
    known = [*measured, *in_manual()]
    lines = [next((line for line in known if line.startswith(key(row))), _unmeasured(row)) for row in rows]
    COSTS.write_text(_MARKED.sub(lambda _: "\n".join((HEAD, *lines)) + "\n", COSTS.read_text()))


def _unmeasured(row: Row) -> str:
    return missing(row, "not measured yet")
