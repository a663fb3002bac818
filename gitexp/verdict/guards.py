"""Limits on secondary metrics: ``memory_mb<=8000``. A candidate that breaks one is not kept, whatever its score."""

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
    """A limit on one metric."""

    metric: str  # the contract's, memory_mb, test_score, or any other that runs print
    relation: str  # <=, >=, < or >
    limit: float  # in the metric's unit

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{self.limit:.10g}"

    def holds(self, value: float) -> bool:
        """Whether a value of the metric keeps the limit."""
        return bool(_COMPARE[self.relation](value, self.limit))


def parse(text: str) -> Guard:
    """The guard that a text names. Raises :class:`GitexpError` for any other text."""
    match = _GUARD.fullmatch(text)
    if not match:
        raise GitexpError(
            f"{text!r} is not a guard: a metric, <=, >=, < or >, and a number.", "--guard 'memory_mb<=8000'"
        )
    return Guard(match[1], match[2], float(match[3]))


def broken(contract: Contract, measurement: Measurement) -> str:
    """Why the first guard that does not hold is broken; empty when all hold."""
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
