"""How Hypothesis runs the tests of properties: the same examples each time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

PURE = settings(max_examples=100, deadline=None, derandomize=True, database=None)
SLOW_DATA = settings(PURE, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
