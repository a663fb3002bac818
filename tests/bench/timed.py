"""The train.py of the current folder, run with a note of when each step ended (timed.json).

BENCH_GC=1       leaves the garbage collector on, which the template turns off
BENCH_EXPORT=1   trains nothing: writes the constants, the text and its training split for torch_gpt.py
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path[0] = os.getcwd()  # in place of this file's folder, which has a train.py of its own
import prepare  # noqa: E402
import train  # noqa: E402


def export() -> None:
    text = prepare.whole_text(prepare.arguments().data)
    np.savez("text.npz", text=text.read(0, text.size), spans=text.spans(prepare.TRAINING))
    constants = {name: value for name, value in vars(train).items() if name.isupper()}
    Path("constants.json").write_text(json.dumps(constants | {"name": text.name}, default=str))


def timed() -> None:
    moments: list[float] = []

    def note(method: Any) -> Any:
        def noting(*arguments: Any) -> None:
            moments.append(time.monotonic())
            method(*arguments)

        return noting

    measure, peaks = prepare.peak_gflops, []
    prepare.peak_gflops = lambda: peaks.append(measure()) or peaks[0]  # train.py's own measurement, noted
    prepare.Budget.start = note(prepare.Budget.start)
    prepare.Budget.show = note(prepare.Budget.show)
    if os.environ.get("BENCH_GC"):
        gc.freeze = gc.disable = lambda: None
    prepare.run(train.main)
    Path("timed.json").write_text(json.dumps({"moments": moments, "peak_gflops": peaks[0]}))


if __name__ == "__main__":
    export() if os.environ.get("BENCH_EXPORT") else timed()
