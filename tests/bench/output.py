"""What a trainer's flood of output costs: ``python -m tests.bench.output --gigabytes 5``.

Takes two steps with the real command line, one silent and one that prints, and compares gitexp's own peak memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOOK = """#!/bin/sh
[ -n "$BYTES" ] && yes "$LINE" | head -c "$BYTES"
echo
echo val_bpb: 2
"""
LINE = "step 00012345 (41.2%) | loss: 1.234567 | rate: 0.0012 | 68,829 tokens a second | 176 s left " * 10


def step(folder: Path, printed: int) -> tuple[float, float]:
    """Megabytes of gitexp's peak memory, and seconds, of a step whose trainer prints so many bytes."""
    (folder / "train.py").write_text(f"# {printed}\n")
    environment = os.environ | {"LINE": LINE, "BYTES": str(printed or "")}
    measured = (
        "import resource, sys; from gitexp.cli import cli; cli(sys.argv[1:], standalone_mode=False); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", measured, "step", "-m", "x"]
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return int(done.stdout.split()[-1]) / unit, time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.output", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5)
    size = int(parser.parse_args().gigabytes * 1e9)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command in ("init -q", "config user.name Bench", "config user.email bench@example.org"):
            subprocess.run(["git", *command.split()], cwd=folder, check=True)
        (folder / "train.py").write_text("")
        subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
        subprocess.run(["git", "commit", "-qm", "start"], cwd=folder, check=True)
        hook = folder / ".git" / "hooks" / "post-run"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o755)
        init = [sys.executable, "-m", "gitexp", "init", "--timeout", "3600"]
        subprocess.run(init, cwd=folder, check=True, capture_output=True)
        silent, _ = step(folder, 0)
        flooded, seconds = step(folder, size)
        log = next((folder / ".git/gitexp/train/logs").glob("exp002-*.log")).stat().st_size
    print(
        f"printed {size / 1e6:,.0f} MB in {seconds:.1f} s ({size / 1e6 / seconds:,.0f} MB/s), "
        f"of which its log keeps {log / 1e6:.1f} MB"
    )
    print(
        f"gitexp's peak memory: {flooded:.1f} MB, {flooded / silent:.2f} times that of a silent run ({silent:.1f} MB)"
    )


if __name__ == "__main__":
    main()
