"""A gitexp command, and what memory it took: prints megabytes, as JSON: gitexp's own, and its largest git process's.

python tests/bench/peak.py render -o FOLDER
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
from pathlib import Path

from gitexp.cli import cli

STATUS = Path("/proc/self/status")


def own() -> float:
    """Not by getrusage where there is a better way: on Linux that also counts what this process was before exec."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return _megabytes(resource.RUSAGE_SELF)


def _megabytes(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        cli(sys.argv[1:], standalone_mode=False)
    print(json.dumps([own(), _megabytes(resource.RUSAGE_CHILDREN)]))
