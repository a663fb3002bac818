"""A run's progress, read from what it prints: step, loss, learning rate and speed, whoever's trainer it is.

A line of progress names its loss and may name the rest: ``step 00012 (34.5%) | loss 2.4571 | lr 0.02 | tok/s 81,234``,
``iter 12: train_loss=2.46``, or a JSON object with such keys. A run may also write such objects, a line each, to the
file ``$GITEXP_CURVE``; then they are its curve. It is kept beside the log, as JSON lines, of at most ``MOST`` points.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gitexp.files import open_file
from gitexp.text import from_bytes

MOST = 1000  # points of a curve that are kept: evenly thinned, the last one always among them
LINE_LIMIT = 10_000  # characters
READ = 16 << 20  # bytes of a file of points
WORD_LIMIT = 60  # characters of a name or a number; a longer word is neither
# A line is cut at these, and each word is looked at by itself: so the time is linear in the line, whatever it holds.
_WORDS = re.compile(r"[:=]|[^\s:=|(){}\[\];\"']+")
_NUMBER = re.compile(r"(?:[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|[-+]?inf)")
_NAME = re.compile(r"[A-Za-z][\w/]*")
PERCENT = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,6})?)\s?%")
_NAMES = {
    "loss": ("loss", "train_loss", "train/loss", "loss/train"),
    "step": ("step", "steps", "iter", "iteration"),
    "rate": ("rate", "lr", "learning_rate"),
    "share": ("share",),
    "seconds": ("seconds", "time", "elapsed"),
    "speed": ("speed", "tok/s", "tokens/s", "tok/sec", "tokens/sec", "tok_per_sec", "tokens_per_second"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One line of progress. ``loss`` is the run's own word, in whatever unit; it is no score."""

    loss: float
    step: int | None = None
    share: float | None = None  # of the budget that is spent: 0 to 1
    rate: float | None = None  # learning rate
    speed: float | None = None  # tokens a second
    seconds: float | None = None  # since the run began


# Given a tenth of the budget and its mean loss: why to end the run; empty to go on.
Pruner = Callable[[int, float], str]


class Tenths:
    """The mean loss in each tenth of the budget, as the run goes on."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._tenth = 1  # 11 when all ten are over
        self._sum, self._count = 0.0, 0  # of the losses in that tenth, so far
        self.means: list[tuple[int, float]] = []

    def take(self, point: Point) -> tuple[int, float] | None:
        """The tenth that ended with ``point``, if one did; each of the ten ends at most once."""
        share = point.share if point.share is not None else (point.seconds or 0.0) / self._budget
        ended = None
        if share > self._tenth / 10 and self._count:
            ended = (self._tenth, float(f"{self._sum / self._count:.6g}"))
            self.means.append(ended)
            self._sum, self._count = 0.0, 0
        self._tenth = max(self._tenth, math.ceil(min(share, 1.05) * 10))
        if self._tenth <= 10:
            self._sum, self._count = self._sum + point.loss, self._count + 1
        return ended


class Recorder:
    """Takes a run's lines as they come, and keeps a bounded curve of them."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._kept: list[Point] = []
        self._every = 1  # each so-manieth point is kept
        self._seen = 0
        self._last: Point | None = None

    def take(self, line: str) -> Point | None:
        """A line that the run prints now; what it says of its progress."""
        found = point(line)
        if found and found.seconds is None:
            found = replace(found, seconds=round(time.monotonic() - self._started, 3))
        if found:
            self.record(found)
        return found

    def record(self, point: Point) -> None:
        self._last = point
        if self._seen % self._every == 0:
            self._kept.append(point)
        self._seen += 1
        if len(self._kept) >= MOST:
            self._kept, self._every = self._kept[::2], 2 * self._every

    def curve(self) -> list[Point]:
        return self._kept + ([self._last] if self._last and self._kept[-1] != self._last else [])


def read(file: Path) -> list[Point]:
    """The curve in the first ``READ`` bytes of a file of JSON lines; empty when there is no such file."""
    recorder = Recorder()
    with suppress(OSError), open_file(file) as lines:
        while lines.tell() < READ and (line := lines.readline(LINE_LIMIT)):
            if found := point(from_bytes(line)):
                recorder.record(found)
    return recorder.curve()


def to_json_lines(curve: Iterable[Point]) -> str:
    return "".join(json.dumps({k: v for k, v in asdict(p).items() if v is not None}) + "\n" for p in curve)


def points(lines: Iterable[str]) -> Iterator[Point]:
    """The lines of progress among ``lines``."""
    return filter(None, map(point, lines))


def point(line: str) -> Point | None:
    """What a line says of the progress; ``None`` for one that names no finite loss."""
    values = _values(line)
    found = {kind: next((values[n] for n in names if n in values), None) for kind, names in _NAMES.items()}
    finite = {kind: value if value is not None and math.isfinite(value) else None for kind, value in found.items()}
    loss, step = finite["loss"], finite["step"]
    if loss is None:
        return None
    percent = PERCENT.search(line)
    return Point(
        loss,
        None if step is None else int(step),
        min(1.0, float(percent[1]) / 100) if percent else finite["share"],
        finite["rate"],
        finite["speed"],
        finite["seconds"],
    )


def _values(line: str) -> Mapping[str, float]:
    if line.lstrip().startswith("{"):
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            return {}
        pairs = data.items() if isinstance(data, dict) else ()
        return {k.lower(): float(v) for k, v in pairs if isinstance(v, (int, float)) and abs(v) < 1e300}
    return dict(_pairs(line)) if "loss" in line.lower() else {}


def _pairs(line: str) -> Iterator[tuple[str, float]]:
    """Each name of a line with the number that comes next: ``loss 2.4``, ``loss: 2.4`` or ``loss = 2.4``."""
    name = ""
    for word in _WORDS.findall(line):
        if word in (":", "="):
            continue
        bare = word.rstrip(",%") if len(word) <= WORD_LIMIT else ""
        if name and _NUMBER.fullmatch(bare):
            yield name, float(bare.replace(",", ""))
            name = ""
        else:
            name = bare.lower() if _NAME.fullmatch(bare) else ""
