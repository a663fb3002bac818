"""The memory of a rebuild: of gitexp's own process; git maps its packs, and the kernel may take those pages back."""

from __future__ import annotations

import json
from pathlib import Path

from .histories import NAME
from .places import folder
from .processes import run
from .repositories import unread
from .wheel import programs

HERE = Path(__file__).parent


def _peaks(iterations: int) -> tuple[float, float]:
    """Megabytes of gitexp, and of the largest process of git, while both views are computed from nothing."""
    words = ["render", "-e", NAME, "-o", str(folder() / "views")]
    own, gits = json.loads(run([programs() / "python", HERE / "peak.py", *words], unread(iterations))[1])
    return own, gits


def rebuilding(iterations: int) -> float:
    return _peaks(iterations)[0]


def described(iterations: int) -> str:
    return f"The largest git process beside it: {_peaks(iterations)[1]:.0f} MB, most of it the mapped pack."
