"""The trainer's bench: nothing here is asserted, everything is printed. From the root of the repository:

  python -m tests.bench.train            side by side: the template, PyTorch, the template on the stock BLAS
  python -m tests.bench.train spread     8 runs with one seed, 8 with others: how far a score moves by itself
  python -m tests.bench.train sizes      a grid of constants, sorted by score

The sides take turns, so that a machine that slows down slows all of them. PyTorch comes into an environment of its own
(--torch-env, made when it is not there). Every side's weights are scored by the template's evaluate.py. Runs stay on
--threads cores; `taskset -c 1 python -m tests.bench.train ...` chooses which.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import runs
from tests.bench.runs import Figures, Machine

GRID = ["DEPTH=1,2,3", "ASPECT_RATIO=32,64", "BATCH_SIZE=4,8,16"]
RATES = (1e-3, 3e-3, 1e-2, 3e-2)  # nanoGPT's for its character model, and above
COLUMNS = {  # of side by side: the figure, and how it is printed
    "tokens_per_second": "{:,.0f}",
    "val_bpb": "{:.4f}",
    "steps": "{:,.0f}",
    "share_of_peak_percent": "{:.1f}",
    "step_ms": "{:.1f}",
    "stall": "{:.1f}",
    "first_step_seconds": "{:.2f}",
    "evaluation_percent": "{:.1f}",
    "peak_gflops": "{:,.0f}",
}


def compare(machine: Machine, options: argparse.Namespace) -> list[Figures]:
    python = runs.torch_python(options.torch_env)
    searched = {}
    for rate in options.rates:
        searched[rate] = runs.train_torch(machine, python, rate)["val_bpb"]
        print(f"  PyTorch with AdamW at {rate:g}: val_bpb {searched[rate]:.4f}", flush=True)
    best = min(searched, key=lambda rate: searched[rate])
    sides: dict[str, Callable[[], Figures]] = {
        "template": lambda: runs.train_template(machine),
        f"torch, {best:g}": lambda: runs.train_torch(machine, python, best),
        "stock BLAS": lambda: runs.train_template(machine, runs.STOCK_BLAS),
        "with GC": lambda: runs.train_template(machine, gc=True),
    }
    rows = []
    for side, train in [*sides.items()] * options.rounds:
        rows.append({"side": side, **train()})
        print(f"  {side}: {rows[-1]['tokens_per_second']:,.0f} tokens/s, val_bpb {rows[-1]['val_bpb']:.4f}", flush=True)
    print_sides(rows, options.rounds)
    return rows


def print_sides(rows: list[Figures], rounds: int) -> None:
    """A column for each side: medians of its rounds, and the ratios against PyTorch."""
    template, peak = rows[0], max(row["peak_gflops"] for row in rows)  # one peak for all: the best that was seen
    gflop_per_token = template["mfu_percent"] / 100 * template["peak_gflops"] / template["tokens_per_second"]
    for row in rows:
        row["share_of_peak_percent"] = 100 * row["tokens_per_second"] * gflop_per_token / peak
    sides = list(dict.fromkeys(row["side"] for row in rows))
    medians = {
        side: {name: statistics.median(row[name] for row in rows if row["side"] == side) for name in COLUMNS}
        for side in sides
    }
    base = next(medians[side] for side in sides if side.startswith("torch"))
    table = {"": sides}
    for name, layout in COLUMNS.items():
        table[name] = [layout.format(medians[side][name]) for side in sides]
    table["tokens/s over torch"] = [
        f"{row['tokens_per_second'] / base['tokens_per_second']:.2f}" for row in medians.values()
    ]
    table["val_bpb less torch"] = [f"{row['val_bpb'] - base['val_bpb']:+.4f}" for row in medians.values()]
    for name, cells in table.items():
        print(f"{name:22}" + "".join(f"{cell:>14}" for cell in cells))
    print(f"medians of {rounds} rounds. stall: longest step over the median; peak_gflops: the side's own GEMM")


def spread(machine: Machine, options: argparse.Namespace) -> list[Figures]:
    rows = [
        {"kind": kind, **runs.train_template(machine, seed=seed)}
        for other in range(1, options.runs + 1)
        for kind, seed in (("same seed", 0), ("other seeds", other))  # in turns
    ]
    for kind in ("same seed", "other seeds"):
        scores = [row["val_bpb"] for row in rows if row["kind"] == kind]
        steps = [row["steps"] for row in rows if row["kind"] == kind]
        print(
            f"{kind:12} val_bpb {statistics.mean(scores):.4f}, sd {statistics.stdev(scores):.4f}, "
            f"range {max(scores) - min(scores):.4f}; steps {min(steps)} to {max(steps)}"
        )
    return rows


def sizes(machine: Machine, options: argparse.Namespace) -> list[Figures]:
    names = [axis.partition("=")[0] for axis in options.grid]
    rows = []
    for values in itertools.product(*(axis.partition("=")[2].split(",") for axis in options.grid)):
        constants = dict(zip(names, values, strict=True))
        figures = runs.train_template(machine, **constants)
        rows.append(figures | constants)
        print(f"  {constants}: {figures['val_bpb']:.4f}", flush=True)
    print(" ".join(f"{name:>12}" for name in (*names, "params_M", "tok/s", "steps", "val_bpb")))
    for row in sorted(rows, key=lambda row: row["val_bpb"]):
        cells = [*(row[name] for name in names), f"{row['num_params_M']:.2f}", f"{row['tokens_per_second']:,.0f}"]
        print(" ".join(f"{cell:>12}" for cell in (*cells, row["steps"], f"{row['val_bpb']:.4f}")))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", choices=BENCHES, nargs="?", default="compare")
    parser.add_argument("--budget", type=float, default=60, help="seconds of training a run (60)")
    parser.add_argument("--threads", type=int, default=1, help="threads, and as many cores (1)")
    parser.add_argument(
        "--data", default=None, help="text; 'python' for Python's own (default: tinyshakespeare if there)"
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="every run's figures, as JSON")
    parser.add_argument("--rounds", type=int, default=2, help="side by side: how often each side runs (2)")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="side by side: PyTorch's rates to search")
    parser.add_argument("--torch-env", type=Path, default=Path(tempfile.gettempdir()) / "gitexp-bench-torch")
    parser.add_argument("--runs", type=int, default=8, help="spread: runs of each kind (8)")
    parser.add_argument("--grid", nargs="+", default=GRID, metavar="NAME=1,2", help=f"sizes: {' '.join(GRID)}")
    options = parser.parse_args()
    data = runs.default_data() if options.data is None else None if options.data == "python" else Path(options.data)
    machine = Machine(options.budget, options.threads, data.resolve() if data else None)
    runs.pin(machine.threads)
    print(
        f"{options.bench}: budget {machine.budget:g} s, {machine.threads} thread(s), {data or 'Python text'}, "
        f"{platform.system()} {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    )
    rows = BENCHES[options.bench](machine, options)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


BENCHES = {"compare": compare, "spread": spread, "sizes": sizes}
if __name__ == "__main__":
    main()
