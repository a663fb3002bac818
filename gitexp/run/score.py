"""Where a score comes from: what a training run printed or wrote, whoever's trainer it was.

The first source that has the contract's metric is taken, whole:

1. the JSON object in the file ``$GITEXP_METRICS``;
2. the last row written to the file ``$RESULTS_TSV``, or appended to ``results.tsv`` by a script that knows no better;
3. the last block of ``key: value`` lines on standard output (``---`` starts a block);
4. ``METRIC name=value`` lines.

In each of them the last word counts: ``val_bpb: None`` after ``val_bpb: 0.9`` says that there is no score.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from gitexp.files import read_file
from gitexp.text import from_bytes, one_line

MEMORY_KEYS = ("memory_mb", "peak_memory_mb", "peak_vram_mb")
_KEY_VALUE = re.compile(r"\s*([A-Za-z_][\w.\-/]*)\s*:\s+(\S.*)")
_METRIC = re.compile(r"\s*METRIC\s+([A-Za-z_][\w.\-/]*)\s*=\s*(\S+)\s*")
_NAME = re.compile(r"[A-Za-z_][\w.\-/]{0,99}")
_USUAL_COLUMNS = {
    5: ("commit", "val_score", "memory_gb", "status", "description"),
    7: ("id", "metric", "val_score", "test_score", "memory_mb", "status", "description"),
}
MOST = 1 << 20  # bytes of a file of metrics
WORD_LIMIT = 60  # characters that are quoted of what stands in a number's place
_MOST_METRICS = 64  # a run that prints more is printing something else

Metrics = dict[str, float]


class SummaryParser:
    """Reads a run's output line by line and remembers only what may be its summary."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.device = ""
        self.data = ""
        self.seen: set[str] = set()  # the names of numbers it printed, to suggest when the metric is missing
        self.word = ""  # what the run gave last in place of the metric's number: None, diverged
        self._block: Metrics = {}
        self._best: Metrics = {}
        self._lines: Metrics = {}

    def feed(self, line: str) -> None:
        if found := _METRIC.fullmatch(line):
            self._hear(found[1], found[2])
            _put(self._lines, found[1], found[2], self.metric)
        elif found := _KEY_VALUE.fullmatch(line):
            self._key_value(found[1], found[2].rstrip())
        elif line.strip():
            self._block = {}

    def forget(self) -> None:
        """What was printed so far is not the summary: another program starts."""
        self._block, self._best, self._lines, self.word = {}, {}, {}, ""

    def _hear(self, name: str, value: str) -> None:
        """The last word counts, in whichever form it was printed: an earlier number is not the score."""
        if name == self.metric:
            self.word = one_line(value, WORD_LIMIT) if _number(value) is None else ""

    def _key_value(self, key: str, value: str) -> None:
        if key == "device":
            self.device = value
        elif key == "data":
            self.data = value
        self._hear(key, value)
        _put(self._block, key, value, self.metric)
        if key in self._block and len(self.seen) < _MOST_METRICS:
            self.seen.add(key)
        if self.metric in self._block:
            self._best = self._block

    def result(self, json_file: Path, rows: bytes) -> Metrics:
        """The metrics of the first source that has the contract's; empty when none has.

        A source whose last word on the metric is not a number has the word: then nobody has the number.
        """
        for source in (partial(read_json, json_file), partial(read_tsv, rows)):
            metrics, word = source(self.metric)
            if word or self.metric in metrics:
                self.word = word
                return {} if word else metrics
        printed = self._best if self.metric in self._best else self._lines
        return {} if self.word or self.metric not in printed else printed


def read_json(file: Path, metric: str) -> tuple[Metrics, str]:
    """The numbers of the JSON object in ``file``, and the word that stands for the metric where that is no number."""
    try:
        data = json.loads(from_bytes(read_file(file, MOST)))
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"not known, as the file of metrics cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        return {}, ""
    metrics: Metrics = {}
    for key, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            _put(metrics, key, value, metric)
    word = isinstance(data, dict) and metric in data and metric not in metrics
    return metrics, one_line(str(data[metric]), WORD_LIMIT) if word else ""


def read_tsv(rows: bytes, metric: str) -> tuple[Metrics, str]:
    """The last row a trainer wrote, read by the header above it, or else by the usual columns of its width.

    With it comes the word that stands in the metric's cell, where that is no number.
    """
    lines = [line.rstrip("\r").split("\t") for line in from_bytes(rows).split("\n") if line.strip()]
    if not lines:
        return {}, ""
    last = lines[-1]
    headers = [tuple(line) for line in lines[:-1] if len(line) == len(last) and all(map(_NAME.fullmatch, line))]
    columns = headers[-1] if headers else _USUAL_COLUMNS.get(len(last), ())
    if "crash" in map(str.lower, last):  # its score is a filler: 0.0 in one table, inf in another
        return {}, ""
    cells = [(metric if key == "val_score" else key, value) for key, value in zip(columns, last, strict=False)]
    metrics: Metrics = {}
    for key, value in cells:
        _put(metrics, key, value, metric)
    word = next((value for key, value in cells if key == metric and value.strip() and _number(value) is None), "")
    return metrics, one_line(word, WORD_LIMIT)


def _put(metrics: Metrics, name: str, value: str | float, metric: str) -> None:
    """Keep ``value`` if it is a number: NaN and infinity tell of a diverged run. ``metric`` always has room."""
    number = _number(value)
    if number is None:
        return
    if _NAME.fullmatch(name) and (name in metrics or name == metric or len(metrics) < _MOST_METRICS):
        metrics[name] = number


def _number(value: str | float) -> float | None:
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def memory_mb(metrics: Mapping[str, float]) -> float | None:
    """Peak memory, as the run printed it under the first of ``MEMORY_KEYS``; ``None`` if it printed none.

    gitexp's own trainers print MiB (2**20 bytes); others may print MB (10**6 bytes).
    """
    return next((metrics[key] for key in MEMORY_KEYS if key in metrics), None)


def test_score(metrics: Mapping[str, float], metric: str) -> float | None:
    """The held-out score: ``test_score``, or ``test_bpb`` where the metric is ``val_bpb``."""
    names: Iterable[str] = ("test_score", "test_" + metric.removeprefix("val_"))
    return next((metrics[name] for name in names if name in metrics), None)
