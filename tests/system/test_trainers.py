"""Other people's trainers run unmodified: each of these is measured by the packaged hook, as its author left it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git.repository import Repository
from gitexp.ledger import history
from tests.helpers.command_line import Gitexp
from tests.helpers.repositories import git

pytestmark = pytest.mark.slow  # trains

KARPATHY = """\
import sys
for step in range(3):
    print(f"\\rstep {step:05d} ({step * 33.3:.1f}%) | loss: {3 - step:.6f} | lrm: 1.00 | dt: 3ms", end="", flush=True)
print()
print("---")
print(f"val_bpb:          {0.997900:.6f}")
print(f"training_seconds: {300.1:.1f}")
print(f"peak_vram_mb:     {45060.2:.1f}")
print(f"mfu_percent:      {39.80:.2f}")
print(f"num_steps:        {953}")
"""

OWN_ROW = """\
import csv, os
path = os.environ.get("RESULTS_TSV", "results.tsv")
new = not os.path.exists(path)
with open(path, "a", newline="") as f:
    out = csv.writer(f, delimiter="\\t")
    if new:
        out.writerow("id metric val_score test_score memory_mb status description".split())
    out.writerow(["exp000", "val_bpb", "1.2345", "1.25", "640.0", "KEEP", "baseline"])
"""

HARD_CODED_ROW = """\
with open("results.tsv", "a") as f:
    f.write("abc1234\\t1.234500\\t0.6\\tkeep\\tmy own row\\n")
"""

METRIC_LINES = """\
print("METRIC val_bpb=1.9")
print("some chatter: with colon")
print("METRIC tokens_per_second=12345")
print("METRIC val_bpb=1.5")
"""

NUMPY = """\
import numpy as np
LR = 0.1
rng = np.random.default_rng(0)
x = rng.normal(size=(256, 3)); y = x @ np.array([1.0, -2.0, 0.5]) + 0.3
w = np.zeros(3); b = 0.0
for step in range(200):
    error = x @ w + b - y
    w -= LR * x.T @ error / len(x); b -= LR * error.mean()
print("mse:", float((error ** 2).mean()))
print("accuracy:", 1.0)
"""

JSON_FILE = """\
import json, os
print("val_bpb: 9.0")
json.dump({"val_bpb": 1.125, "epochs": 3}, open(os.environ["GITEXP_METRICS"], "w"))
"""


@pytest.mark.parametrize(
    ("script", "score", "memory", "metrics"),
    [
        (KARPATHY, 0.9979, 45060.2, {"training_seconds": 300.1, "mfu_percent": 39.8, "num_steps": 953.0}),
        (OWN_ROW, 1.2345, 640.0, {"test_score": 1.25}),
        (HARD_CODED_ROW, 1.2345, None, {"memory_gb": 0.6}),
        (METRIC_LINES, 1.5, None, {"tokens_per_second": 12345.0}),
        (JSON_FILE, 1.125, None, {"epochs": 3.0}),
    ],
    ids=["key: value", "$RESULTS_TSV", "results.tsv", "METRIC", "$GITEXP_METRICS"],
)
def test_a_trainer(
    folder: Path, gitexp: Gitexp, script: str, score: float, memory: float, metrics: dict[str, float]
) -> None:
    (folder / "train.py").write_text(script)
    gitexp("init")
    measured = history.load(Repository.discover(folder), "train").baseline.measurement
    assert measured.score == score
    assert measured.memory_mb == memory
    assert dict(measured.metrics) == metrics
    assert (folder / "results.tsv").read_text().startswith("id\tmetric\tval_score\ttest_score\tmemory_mb\tstatus\t")
    assert len((folder / "results.tsv").read_text().splitlines()) == 2


def test_a_trainer_in_plain_numpy_finds_its_way(folder: Path, gitexp: Gitexp) -> None:
    (folder / "fit.py").write_text(NUMPY)
    git("add", "fit.py")
    git("commit", "-qm", "numpy")
    gitexp("init", "fit.py", "--metric", "mse")
    (folder / "fit.py").write_text(NUMPY.replace("LR = 0.1", "LR = 0.5"))
    assert "exp001 KEEP" in gitexp("step", "-m", "LR 0.1 -> 0.5").stdout
    (folder / "fit.py").write_text(NUMPY.replace("LR = 0.1", "LR = 500.0"))
    assert "exp002 CRASH: LR 500" in gitexp("step", "-m", "LR 500").stdout
    (folder / "fit.py").write_text(NUMPY.replace("np.zeros(3)", "np.zeros(4)").replace("0.1", "0.5"))
    assert "ValueError" in gitexp("step", "-m", "one weight more").stdout
