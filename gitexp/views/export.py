"""Iterations as JSON, for machines: the command line's ``--json`` and the post-step hook."""

from __future__ import annotations

import json
from typing import Any

from gitexp.model import Iteration
from gitexp.text import UNSAFE


def iteration_json(iteration: Iteration) -> dict[str, Any]:
    m = iteration.measurement
    return {
        "id": iteration.id,
        "status": iteration.status.value,
        "score": m.score,
        "delta": iteration.delta,
        "test_score": m.test,
        "memory_mb": m.memory_mb,
        "seconds": round(m.seconds, 2),
        "description": iteration.description,
        "reason": iteration.reason,
        "error": m.error or None,
        "changes": list(iteration.candidate.changes),
        "params": dict(iteration.candidate.params),
        "spoiled": list(m.spoiled),
        "pruned": m.pruned or None,
        "curve": [list(point) for point in m.curve],
        "metrics": dict(m.metrics),
        "samples": [{"seed": s.seed, "seconds": s.seconds, "score": s.score} for s in m.samples],
        "device": m.device,
        "hypothesis": iteration.notes.hypothesis,
        "commit": iteration.commit,
    }


def dumps(value: object) -> str:
    """JSON on one line, in which no text can drive a terminal."""
    return UNSAFE.sub(lambda c: f"\\u{ord(c.group()):04x}", json.dumps(value, ensure_ascii=False, allow_nan=False))
