"""The picture of a report that README shows: of a real experiment, with a trainer that only pretends to train.

python -m tests.picture [OUTPUT]   # tests/report.png by default; it takes a minute, and needs Chromium
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.helpers.browser import browser

TRAINER = """\
import math
import os
import random

LR = 0.004
WIDTH = 128
HEADS = 4
DEPTH = 2
WARMUP = 0.0
BATCH = 64
DECAY = 0.0

rng = random.Random(f"{os.environ['RANDOM_SEED']} {LR} {WIDTH} {HEADS} {DEPTH} {WARMUP} {BATCH} {DECAY}")
assert WIDTH % HEADS == 0, f"width {WIDTH} does not divide into {HEADS} heads"
best = 1.62 + 0.05 * abs(math.log2(LR / 0.03)) ** 1.5 + 0.04 * abs(math.log2(WIDTH / 384)) + 0.03 * abs(DEPTH - 5)
best += 0.02 * abs(math.log2(BATCH / 24)) + 0.5 * abs(WARMUP - 0.1) + 0.2 * abs(DECAY - 0.2) + 0.004 * abs(HEADS - 6)
best += 3 * max(0.0, LR - 0.12)
score = best + rng.gauss(0, 0.012)
for step in range(0, 101):
    loss = score + 3.9 * math.exp(-step / 14) + rng.gauss(0, 0.05) / (1 + step / 20)
    print(f"step {step:05d} ({step}.0%) | loss {loss:.4f} | lr {LR * min(1, (step + 1) / (100 * WARMUP + 1)):.4g}")
print("---")
print(f"val_bpb: {score:.6f}")
print(f"peak_memory_mb: {40 + WIDTH * DEPTH * 0.11 + BATCH * WIDTH * 0.004:.1f}")
print("num_steps: 100")
"""
VALUES = {
    "LR": (0.004, 0.008, 0.016, 0.03, 0.06, 0.25),
    "WIDTH": (96, 128, 192, 256, 384, 512),
    "HEADS": (4, 5, 6, 8),
    "DEPTH": (2, 3, 4, 5, 6, 8),
    "WARMUP": (0.0, 0.05, 0.1, 0.2),
    "BATCH": (16, 24, 32, 64, 128),
    "DECAY": (0.0, 0.1, 0.2, 0.4),
}
WHY = {
    "LR": "A rate that is further from the edge of divergence learns steadier.",
    "WIDTH": "Width buys more than depth while the budget is short.",
    "HEADS": "Heads of another size may attend to other distances.",
    "DEPTH": "One more layer composes what the last one found.",
    "WARMUP": "The first steps are the largest: warm up.",
    "BATCH": "Smaller batches make more steps in the same time.",
    "DECAY": "Regularise a little: the text is small.",
}


PERSON = {"GIT_AUTHOR_NAME": "Ada Lovelace", "GIT_AUTHOR_EMAIL": "ada@example.org"}
PERSON |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in PERSON.items()}


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=os.environ | PERSON)


def gitexp(folder: Path, *args: str) -> None:
    run(folder, sys.executable, "-m", "gitexp", *args)


def night(folder: Path, steps: int) -> None:
    """A repository with an experiment of so many steps: seeded random edits of one constant, each a real step."""
    file = folder / "train.py"
    folder.mkdir()
    file.write_text(TRAINER)
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "start")
    goal = "The lowest val_bpb that five minutes of training can reach."
    gitexp(
        folder, "init", "--name", "night", "--budget", "300", "--goal", goal, "--constraint", "one constant at a time"
    )
    rng, tried = random.Random(4), {TRAINER}
    while len(tried) <= steps:
        name = rng.choice(list(VALUES))
        before = file.read_text()
        line = next(line for line in before.splitlines() if line.startswith(f"{name} = "))
        value = rng.choice(VALUES[name])
        after = before.replace(line, f"{name} = {value}")
        if after in tried:
            continue
        tried.add(after)
        file.write_text(after)
        words = f"{name.lower()} {line.partition(' = ')[2]} -> {value}"
        gitexp(
            folder, "step", "--again", "-m", words, "--hypothesis", WHY[name], "--next", "warm up again at the new rate"
        )


def picture(report: Path, output: Path) -> None:
    with browser() as running:
        page = running.new_page(viewport={"width": 1160, "height": 1010}, device_scale_factor=1.5)
        page.goto(report.as_uri())
        page.wait_for_selector("[data-ready]", state="attached")
        page.screenshot(path=output)
    Image.open(output).convert("RGB").quantize(128).save(output, optimize=True)


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "report.png"
    with tempfile.TemporaryDirectory() as folder:
        repository, report = Path(folder) / "night", Path(folder) / "report.html"
        night(repository, 40)
        gitexp(repository, "report", "-o", str(report))
        picture(report, output)
    print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
