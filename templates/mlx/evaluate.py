"""Score the weights that train.py left: bits per byte of held-out text. Frozen: an experiment edits train.py alone.

train.py contributes logits and nothing else. It is imported in a process of its own, which is given tokens and answers
with logits; the text, its order, its size and the loss are this process's:

  val_bpb = total nats / (ln 2 * total bytes), from a log-softmax over the whole vocabulary

Bytes are counted, whatever the tokens are: a byte model and a BPE model are scored alike, on the same text.

The logits must have the right shape, be finite, come out the same twice, and not depend on a later position or on
another row of the batch: each batch that is scored is also shown with its tail and its other rows changed, before or
after, so that a model cannot know which of the two counts. A failed probe is one sentence on stderr and exit status 1.
`--test` adds test_bpb, from text that no decision has seen: for the end of an experiment, not for each iteration.
"""

from __future__ import annotations

import io
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import prepare

EVAL_BYTES = 32 << 10  # scored once each, whatever SEQ_LEN is; takes a CPU core about a second
EVAL_PIECES = 16  # the scored bytes are this many pieces, spread evenly over the text
EVAL_BATCH_TOKENS = 4 << 10  # tokens a forward pass: the logits of one pass over bytes are 4 MiB
PROBE_TOLERANCE = 1e-3  # share of the largest logit: rounding in float32 stays under 1e-5
SERVE = "--serve"  # what this file is called with to be the model's process

Model = Callable[[np.ndarray], np.ndarray]  # tokens (rows, length) to logits (rows, length, vocabulary)


# ---------------------------------------------------------------------------------------------------------------------
# The model's process
# ---------------------------------------------------------------------------------------------------------------------


def serve() -> None:
    """Answer tokens with logits until the input ends. All of train.py runs in here and nowhere else."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever train.py prints is no answer
    import mlx.core as mx  # noqa: PLC0415  by prepare's leave: it loads what MLX needs first
    import train  # noqa: PLC0415  this process alone may run it

    model = train.build_model()
    model.load_weights(str(prepare.run_dir() / "model.safetensors"))
    model.eval()
    put(answers, np.array([train.VOCAB_SIZE, train.SEQ_LEN]))
    while (tokens := take(sys.stdin.buffer)) is not None:
        put(answers, np.array(model(mx.array(tokens)).astype(mx.float32)))


def put(stream: BinaryIO, array: np.ndarray) -> None:
    held = io.BytesIO()
    np.save(held, array, allow_pickle=False)
    stream.write(len(held.getvalue()).to_bytes(8, "big") + held.getvalue())
    stream.flush()


def take(stream: BinaryIO) -> np.ndarray | None:
    """The next array; ``None`` when the other side is gone."""
    size = int.from_bytes(stream.read(8), "big")
    data = stream.read(size)
    return np.load(io.BytesIO(data), allow_pickle=False) if size and len(data) == size else None


class Served:
    """The trained model, at arm's length."""

    def __init__(self) -> None:
        private = {"GITEXP_METRICS", "RESULTS_TSV"}  # where this process reports, and that one must not
        environment = {name: value for name, value in os.environ.items() if name not in private}
        command = [sys.executable, __file__, SERVE]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)
        self.vocab_size, self.seq_len = (int(size) for size in self.answer())

    def answer(self) -> np.ndarray:
        array = take(self.process.stdout)
        if array is None:
            prepare.fail("train.py cannot serve its model: what it said stands above.")
        return array

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        try:
            put(self.process.stdin, tokens.astype(np.int32))
        except OSError:
            prepare.fail("train.py stopped serving its model: what it said stands above.")
        logits = self.answer()
        expected = (*tokens.shape, self.vocab_size)
        if logits.shape != expected:
            prepare.fail(f"the model must return logits of shape {expected}, not {logits.shape}.")
        if not np.isfinite(logits).all():
            prepare.fail("the model's logits are not finite.")
        return logits

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


# ---------------------------------------------------------------------------------------------------------------------
# The score
# ---------------------------------------------------------------------------------------------------------------------


def held_out(text: prepare.Text, blocks: tuple[int, int]) -> np.ndarray:
    """EVAL_BYTES bytes of a split, and one more, as the first byte has none before it and is not scored."""
    spans = text.spans(blocks)
    chosen = spans[np.unique(np.linspace(0, len(spans) - 1, EVAL_PIECES).astype(int))]
    share = -(-(EVAL_BYTES + 1) // len(chosen))
    pieces = [text.read(start, min(share, stop - start)) for start, stop in chosen.tolist()]
    return np.concatenate(pieces)[: EVAL_BYTES + 1]


def windows(tokens: np.ndarray, length: int) -> list[np.ndarray]:
    """Batches of shape (rows, length + 1) which together score each token but the first; the last may be shorter."""
    count = (len(tokens) - 1) // length
    rows = [tokens[i * length : (i + 1) * length + 1] for i in range(count)]
    per_batch = max(1, EVAL_BATCH_TOKENS // length)
    batches = [np.stack(rows[i : i + per_batch]) for i in range(0, count, per_batch)]
    rest = tokens[count * length :]
    return batches + ([rest[None]] if len(rest) > 1 else [])


def nats(logits: np.ndarray, targets: np.ndarray) -> float:
    """The sum of -log p(target): logits are normalised here, over the whole vocabulary."""
    highest = logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits - highest).sum(-1, dtype=np.float64)) + highest[..., 0]
    chosen = np.take_along_axis(logits, targets[..., None].astype(np.int64), -1)[..., 0]
    return float((total - chosen).sum(dtype=np.float64))


def tokens_of(data: np.ndarray, tokenizer: prepare.Tokenizer) -> np.ndarray:
    """The first byte, which is only context, and the tokens of exactly the bytes after it."""
    tokens = np.concatenate([tokenizer.encode(data[:1]), tokenizer.encode(data[1:])]).astype(np.int32)
    if tokenizer.decode(tokens) != data.tobytes():
        prepare.fail("the tokens do not spell the held-out text, so they cannot be scored.")
    return tokens


def bits_per_byte(model: Model, data: np.ndarray, tokenizer: prepare.Tokenizer, vocab_size: int, length: int) -> float:
    chance = random.SystemRandom()  # nothing that train.py could foresee
    total = 0.0
    for batch in windows(tokens_of(data, tokenizer), length):
        logits = probed(model, batch[:, :-1], vocab_size, chance)
        total += nats(logits, batch[:, 1:])
    return total / (math.log(2) * (len(data) - 1))


# ---------------------------------------------------------------------------------------------------------------------
# The probes
# ---------------------------------------------------------------------------------------------------------------------


def probed(model: Model, tokens: np.ndarray, vocab_size: int, chance: random.Random) -> np.ndarray:
    """The logits of a batch. Exits when they depend on what comes later, or on the other rows."""
    rows, length = tokens.shape
    row, cut = chance.randrange(rows), chance.randrange(1, length) if length > 1 else length
    other = (tokens + chance.randrange(1, vocab_size)) % vocab_size  # another token in every place
    changed = other.copy()
    changed[row, :cut] = tokens[row, :cut]
    if chance.random() < 0.5:
        logits, again = model(tokens), model(changed)
    else:
        again, logits = model(changed), model(tokens)
    tolerance = PROBE_TOLERANCE * max(float(np.abs(logits).max()), 1.0)
    if np.abs(logits[row, :cut] - again[row, :cut]).max() > tolerance:
        blame(model, tokens, changed, (row, cut), tolerance)
    return logits


def blame(model: Model, tokens: np.ndarray, changed: np.ndarray, kept: tuple[int, int], tolerance: float) -> None:
    """Say what moved logits that nothing should have moved, and exit."""
    row, cut = kept
    base = model(tokens)

    def moved(shown: np.ndarray) -> bool:
        return bool(np.abs(model(shown)[row, :cut] - base[row, :cut]).max() > tolerance)

    tail, rows = tokens.copy(), changed.copy()
    tail[row, cut:], rows[row] = changed[row, cut:], tokens[row]
    if moved(tokens):
        prepare.fail("the model gives other logits for the same tokens the second time, so it cannot be scored.")
    if moved(tail):
        prepare.fail(f"the model looks ahead: changing tokens from {cut} on moved logits before {cut}.")
    if moved(rows):
        prepare.fail("the model looks across the batch: changing other rows moved the logits of one.")
    prepare.fail("the model's logits depend on more than what comes before, so it cannot be scored.")


# ---------------------------------------------------------------------------------------------------------------------
# The summary
# ---------------------------------------------------------------------------------------------------------------------


def training_stats(run_dir: Path, text: prepare.Text) -> dict[str, Any]:
    """What train.py says of its training: facts beside the score, none of which it is made of."""
    stats_file = run_dir / "train.json"
    if not ((run_dir / "model.safetensors").exists() and stats_file.exists()):
        prepare.fail(f"there are no trained weights in {run_dir}: run python train.py first.")
    stats: dict[str, Any] = json.loads(stats_file.read_text())
    if stats["data"] != text.name:
        prepare.fail(f"the weights were trained on {stats['data']}, and this would score them on {text.name}.")
    return stats


def main() -> None:
    began = time.monotonic()
    options = prepare.arguments(test="print test_bpb too: for the end of an experiment")
    text = prepare.whole_text(options.data)
    stats = training_stats(prepare.run_dir(), text)
    model = Served()
    try:
        tokenizer = prepare.Tokenizer(text, model.vocab_size)
        splits = {"val_bpb": prepare.VALIDATION} | ({"test_bpb": prepare.TEST} if options.test else {})
        scores = {
            name: bits_per_byte(model, held_out(text, blocks), tokenizer, model.vocab_size, model.seq_len)
            for name, blocks in splits.items()
        }
    finally:
        model.end()
    eval_seconds = time.monotonic() - began
    summary = {
        **{name: f"{score:.6f}" for name, score in scores.items()},
        "training_seconds": f"{stats['training_seconds']:.1f}",
        "startup_seconds": f"{stats['startup_seconds']:.1f}",
        "eval_seconds": f"{eval_seconds:.1f}",
        "total_seconds": f"{stats['startup_seconds'] + stats['training_seconds'] + eval_seconds:.1f}",
        "peak_memory_mb": f"{stats['peak_memory_mb']:.1f}",
        "steps": str(stats["steps"]),
        "tokens_per_second": f"{stats['tokens_per_second']:.0f}",
        "mfu_percent": f"{stats['mfu_percent']:.1f}",
        "num_params_M": f"{stats['num_params'] / 1e6:.3f}",
        "depth": str(stats["depth"]),
        "dim": str(stats["dim"]),
    }
    if metrics := os.environ.get("GITEXP_METRICS"):
        prepare.write_json(Path(metrics), {name: json.loads(number) for name, number in summary.items()})
    prepare.print_summary(summary | {"device": stats["device"], "data": stats["data"]})


if __name__ == "__main__":
    prepare.run(serve if sys.argv[1:] == [SERVE] else main)
