"""Limits on secondary metrics: ``memory_mb<=8000``. A candidate that breaks one is no KEEP, whatever its score."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass

from gitexp.errors import GitexpError
from gitexp.model import Contract, Measurement

_GUARD = re.compile(r"\s*([A-Za-z_][\w.\-/]*)\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True, slots=True)
class Guard:
    metric: str
    relation: str
    limit: float

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{self.limit:.10g}"

    def holds(self, value: float) -> bool:
        return bool(_COMPARE[self.relation](value, self.limit))


def parse(text: str) -> Guard:
    found = _GUARD.fullmatch(text)
    if not found:
        raise GitexpError(f"{text!r} is no guard: a metric, <=, >=, < or >, and a number.", "--guard 'memory_mb<=8000'")
    return Guard(found[1], found[2], float(found[3]))


def broken(contract: Contract, measurement: Measurement) -> str:
    """The first guard that does not hold, and why; empty when all hold."""
    for guard in map(parse, contract.guards):
        value = _value(guard.metric, contract, measurement)
        if value is None:
            return f"the guard {guard} cannot be checked: {guard.metric} was not reported"
        if not guard.holds(value):
            return f"breaks the guard {guard}: {guard.metric} is {value:.10g}"
    return ""


def _value(metric: str, contract: Contract, measurement: Measurement) -> float | None:
    if metric == contract.metric:
        return measurement.score
    if metric == "memory_mb":
        return measurement.memory_mb
    if metric == "test_score":
        return measurement.test
    return dict(measurement.metrics).get(metric)
