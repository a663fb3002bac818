"""A run's progress, read from what it prints: step, loss, learning rate and speed, whoever's trainer it is.

A line of progress names its loss and may name the rest: ``step 00012 (34.5%) | loss 2.4571 | lr 0.02 | tok/s 81,234``,
``iter 12: train_loss=2.46``, or a JSON object with such keys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|[-+]?inf"
_PAIR = re.compile(rf"([A-Za-z][\w/]*)\s*[:=]?\s*({_NUMBER})(?![\w.])")
_PERCENT = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,6})?)\s?%")
_NAMES = {
    "loss": ("loss", "train_loss", "train/loss", "loss/train"),
    "step": ("step", "steps", "iter", "iteration"),
    "rate": ("lr", "learning_rate"),
    "speed": ("tok/s", "tokens/s", "tok/sec", "tokens/sec", "tok_per_sec", "tokens_per_second"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One line of progress. ``loss`` is the run's own word, in whatever unit; it is no score."""

    loss: float
    step: int | None = None
    share: float | None = None  # of the budget that is spent: 0 to 1
    rate: float | None = None  # learning rate
    speed: float | None = None  # tokens a second


def points(lines: Iterable[str]) -> Iterator[Point]:
    """The lines of progress among ``lines``."""
    return filter(None, map(point, lines))


def point(line: str) -> Point | None:
    """What a line says of the progress; ``None`` for one that names no finite loss."""
    values = _values(line)
    found = {kind: next((values[n] for n in names if n in values), None) for kind, names in _NAMES.items()}
    loss, step = found["loss"], found["step"]
    if loss is None or not math.isfinite(loss):
        return None
    percent = _PERCENT.search(line)
    return Point(
        loss,
        int(step) if step is not None and math.isfinite(step) else None,
        min(1.0, float(percent[1]) / 100) if percent else None,
        found["rate"],
        found["speed"],
    )


def _values(line: str) -> Mapping[str, float]:
    if line.lstrip().startswith("{"):
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            return {}
        pairs = data.items() if isinstance(data, dict) else ()
        return {k.lower(): float(v) for k, v in pairs if isinstance(v, (int, float)) and abs(v) < 1e300}
    return {name.lower(): float(value.replace(",", "")) for name, value in _PAIR.findall(line)}
