"""How long a report takes to open: in headless Chromium, driven by Playwright, where this machine has both."""

from __future__ import annotations

import importlib
import json
import math
import re
import time
from functools import cache
from pathlib import Path

from .places import folder
from .processes import MissingError, gitexp
from .repositories import repository

WITH_LOGS = 200  # of the newest iterations
STEPS = 100  # that a run has printed its loss of


@cache
def report(iterations: int) -> Path:
    """The page, of an experiment whose newest iterations have logs and curves, as where it was run."""
    place, file = repository(iterations), folder() / f"report-{iterations}.html"
    logs = place / ".git/gitexp/train/logs"
    logs.mkdir(parents=True, exist_ok=True)
    for number in range(max(0, iterations - WITH_LOGS), iterations):
        points = [{"loss": 2 + 4 * math.exp(-step / 14), "step": step, "share": step / STEPS} for step in range(STEPS)]
        (logs / f"{label(number)}.curve.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
        (logs / f"{label(number)}.log").write_text("".join(f"step {p['step']} | loss {p['loss']}\n" for p in points))
    gitexp("report", "-o", str(file), folder=place)
    return file


def label(number: int) -> str:
    """The name of a run's log; histories number their runs."""
    return f"exp{number:03d}-{f'{number:032x}'[:8]}"


def opened(iterations: int) -> float:
    """Milliseconds from asking for the page until it says that all of it is drawn."""
    try:
        browsers = importlib.import_module("tests.helpers.browser")
    except ImportError as error:
        raise MissingError(f"{error.name} is not installed: pip install -e '.[test]'") from None
    if browsers.chromium() is None:
        raise MissingError("there is no Chromium here: apt-get install chromium, or CHROMIUM=/its/path")
    file = report(iterations)
    with browsers.browser() as running:
        page = running.new_page(viewport={"width": 1200, "height": 900})
        started = time.perf_counter()
        page.goto(file.as_uri(), wait_until="commit")
        page.wait_for_selector("[data-ready]", state="attached", timeout=60_000)
        return 1000 * (time.perf_counter() - started)


def described(iterations: int) -> str:
    """The file's size, and what the page says that it leaves out."""
    text = report(iterations).read_text()
    said = re.search(r"The newest [\d,]+ of [\d,]+:[^<]*", text)
    return f"{len(text) / 1e6:.1f} MB. " + (f"It says: {said[0].strip()}" if said else "It shows all of them.")
