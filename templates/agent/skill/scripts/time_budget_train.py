"""Train a small byte-level GPT with MLX for TIME_BUDGET seconds of wall clock, score it, and print the score.

One complete file that shows every pattern of ../references/autoexperiment-guide.md. Start an experiment with it:

  gitexp init .claude/skills/autoexperiment/scripts/time_budget_train.py --budget 60

It reads TIME_BUDGET (seconds, 300 by default), RANDOM_SEED (0), GITEXP_DATA (a text file; else the sources of Python's
standard library) and GITEXP_TEST (1: score the held-out split too). It prints a `---` block of figures and exits with
0, or exits with another code. It keeps no table and does not judge itself: gitexp decides what is a KEEP.

It scores itself, so that an edit of it could change how it scores. For an experiment that an agent runs alone, take
`gitexp init --template mlx`, whose evaluator is frozen.
"""

from __future__ import annotations

import ctypes
import gc
import math
import os
import resource
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# Constants, one a line: an experiment is a diff of one line.
DEPTH = 1  # transformer blocks
WIDTH = 64
HEADS = 2
MLP_RATIO = 4
SEQ_LEN = 128  # bytes of context
BATCH_SIZE = 8  # sequences a step
LEARNING_RATE = 0.005
WARMDOWN = 0.5  # last share of the budget, in which the rate falls to 0

MAX_LOSS = 100.0  # nats; above it the run has diverged
TEXT_BYTES = 4 << 20  # the text is cut here
BLOCK_BYTES = 4 << 10  # of each 20 blocks, the first is for validation, the second for the test, the rest for training
EVAL_BYTES = 32 << 10  # scored at the end


def load_blas() -> str:
    """Load OpenBLAS before MLX, whose wheel for Linux brings the reference BLAS: OpenBLAS is ten times as fast."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for file in (file for folder in sys.path for file in Path(folder).glob("scipy_openblas32/lib/libopenblas*.so")):
        if hasattr(ctypes.CDLL(str(file)), "cblas_sgemm"):  # later ones prefix every name
            ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
            return "OpenBLAS"
    return "MLX's own BLAS"


BLAS = load_blas()
import mlx.core as mx  # noqa: E402
from mlx import nn, optimizers  # noqa: E402


class GPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(256, WIDTH)
        self.places = nn.Embedding(SEQ_LEN, WIDTH)
        self.blocks = nn.TransformerEncoder(DEPTH, WIDTH, HEADS, MLP_RATIO * WIDTH, norm_first=True)
        self.head = nn.Linear(WIDTH, 256)
        self._mask = nn.MultiHeadAttention.create_additive_causal_mask(SEQ_LEN)  # the _ keeps it out of the parameters

    def __call__(self, tokens: mx.array) -> mx.array:
        """Logits (batch, SEQ_LEN, 256) for bytes (batch, SEQ_LEN)."""
        x = self.embed(tokens) + self.places(mx.arange(SEQ_LEN))
        return self.head(self.blocks(x, self._mask))


def loss_fn(model: GPT, windows: mx.array) -> mx.array:
    """The mean cross-entropy, in nats, of all bytes of the windows (batch, SEQ_LEN + 1) but the first ones."""
    return nn.losses.cross_entropy(model(windows[:, :-1]), windows[:, 1:], reduction="mean")


def load_text() -> tuple[str, np.ndarray]:
    named = os.environ.get("GITEXP_DATA")
    files = [Path(named)] if named else sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    try:
        data = b"".join(file.read_bytes() for file in files)[:TEXT_BYTES]
    except OSError as error:
        sys.exit(f"error: the text cannot be read: {error}")
    if len(data) < 20 * BLOCK_BYTES:
        sys.exit(f"error: {len(data):,} bytes of text are too few; {20 * BLOCK_BYTES:,} are needed.")
    return named or "the Python standard library", np.frombuffer(data, dtype=np.uint8)


def split(text: np.ndarray, wanted: range) -> np.ndarray:
    """Windows (count, SEQ_LEN + 1) of bytes, from the blocks whose number modulo 20 is in ``wanted``."""
    size = SEQ_LEN + 1
    blocks = text[: len(text) // BLOCK_BYTES * BLOCK_BYTES].reshape(-1, BLOCK_BYTES)
    chosen = blocks[np.isin(np.arange(len(blocks)) % 20, list(wanted))]
    return chosen[:, : BLOCK_BYTES // size * size].reshape(-1, size)


def batches(windows: np.ndarray, seed: int) -> Iterator[mx.array]:
    generator = np.random.default_rng(seed)
    while True:
        yield mx.array(windows[generator.integers(len(windows), size=BATCH_SIZE)])


def bits_per_byte(model: GPT, windows: np.ndarray) -> float:
    """total nats / (ln 2 * total bytes), which can be compared between vocabularies, as it counts bytes, not tokens."""
    windows = windows[: EVAL_BYTES // SEQ_LEN]
    nats = sum(loss_fn(model, mx.array(row[None])).item() * SEQ_LEN for row in windows)
    return nats / (math.log(2) * SEQ_LEN * len(windows))


def peak_memory_mb(device: str) -> float:
    if device == "gpu":
        return mx.get_peak_memory() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # macOS counts bytes, Linux KiB


def main() -> None:
    budget, seed = float(os.environ.get("TIME_BUDGET", "300")), int(os.environ.get("RANDOM_SEED", "0"))
    device = "cpu" if mx.default_device() == mx.cpu else "gpu"
    name, text = load_text()
    mx.random.seed(seed)
    model, optimizer = GPT(), optimizers.Adam(LEARNING_RATE)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    started, step = time.monotonic(), 0
    for windows in batches(split(text, range(2, 20)), seed):
        spent = time.monotonic() - started if step else 0.0  # step 0 loads and compiles: the budget starts after it
        if spent >= budget:
            break
        optimizer.learning_rate = LEARNING_RATE * min(1.0, (1 - spent / budget) / WARMDOWN)
        loss, grads = loss_and_grad(model, windows)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)  # MLX is lazy: before any clock is read
        if not abs(loss.item()) <= MAX_LOSS:  # true of NaN too
            sys.exit(f"error: the loss is {loss.item():.4g} at step {step}: training has diverged.")
        if step == 0:
            gc.collect()
            gc.freeze()  # what lives now lives to the end, so that
            gc.disable()  # no pause of the collector falls into the budget
            started = time.monotonic()
        elif step % 50 == 0:
            print(f"step {step:05d} ({min(spent / budget, 1):6.1%}) | loss {loss.item():.4f}", flush=True)
        step += 1
    spent = time.monotonic() - started
    scores = {"val_bpb": bits_per_byte(model, split(text, range(1)))}
    if os.environ.get("GITEXP_TEST"):
        scores["test_bpb"] = bits_per_byte(model, split(text, range(1, 2)))
    print("---")
    for key, value in scores.items():
        print(f"{key}: {value:.6f}")
    print(f"peak_memory_mb: {peak_memory_mb(device):.1f}")
    print(f"training_seconds: {spent:.2f}")
    print(f"steps: {step - 1}")  # less step 0
    print(f"tokens_per_second: {(step - 1) * BATCH_SIZE * SEQ_LEN / spent:.0f}")
    print(f"device: {device}" + (f", {BLAS}" if device == "cpu" else ""))
    print(f"data: {name}")


if __name__ == "__main__":
    main()
