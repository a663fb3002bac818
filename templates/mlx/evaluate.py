"""Score the weights that train.py left: bits per byte of held-out text. Frozen: an experiment edits train.py alone.

train.py contributes logits and nothing else. The text, its order, its size and the loss are this file's:

  val_bpb = total nats / (ln 2 * total bytes), from a log-softmax over the whole vocabulary

Bytes are counted, whatever the tokens are: a byte model and a BPE model are scored alike, on the same text.

Before scoring, probes check that the logits have the right shape, are finite, come out the same twice, and that no
position sees a later one or another row of its batch. A failed probe is one sentence on stderr and exit status 1.
`--test` adds test_bpb, from text that no decision has seen: for the end of an experiment, not for each iteration.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import prepare  # first of what follows: it is the place for what must happen before mlx.core is loaded

import mlx.core as mx  # isort: skip
import train

EVAL_BYTES = 32 << 10  # scored once each, whatever SEQ_LEN is; takes a CPU core 0.4 s (2.7 s on a reference BLAS)
EVAL_PIECES = 16  # the scored bytes are this many pieces, spread evenly over the text
EVAL_BATCH_TOKENS = 4 << 10  # tokens a forward pass: the logits of one pass over bytes are 4 MiB
PROBE_TOLERANCE = 1e-3  # share of the largest logit: rounding in float32 stays under 1e-5

Model = Callable[[mx.array], mx.array]


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


def logits_of(model: Model, tokens: np.ndarray) -> mx.array:
    logits = model(mx.array(tokens.astype(np.int32)))
    expected = (*tokens.shape, train.VOCAB_SIZE)
    if not isinstance(logits, mx.array) or logits.shape != expected:
        prepare.fail(f"the model must return logits of shape {expected}, not {getattr(logits, 'shape', type(logits))}.")
    return logits.astype(mx.float32)


def nats(model: Model, batch: np.ndarray) -> float:
    """The sum of -log p(token) over a batch of windows."""
    logits = logits_of(model, batch[:, :-1])
    targets = mx.array(batch[:, 1:].astype(np.int32))[..., None]
    log_p = mx.take_along_axis(logits, targets, axis=-1) - mx.logsumexp(logits, axis=-1, keepdims=True)
    return -float(np.array(log_p, dtype=np.float64).sum())  # in float32 the sum is off by 3 parts in 100,000


def tokens_of(data: np.ndarray, tokenizer: prepare.Tokenizer) -> np.ndarray:
    """The first byte, which is only context, and the tokens of exactly the bytes after it."""
    tokens = np.concatenate([tokenizer.encode(data[:1]), tokenizer.encode(data[1:])])
    if tokenizer.decode(tokens) != data.tobytes():
        prepare.fail("the tokens do not spell the held-out text, so they cannot be scored.")
    return tokens


def bits_per_byte(model: Model, data: np.ndarray, tokenizer: prepare.Tokenizer) -> float:
    total = sum(nats(model, batch) for batch in windows(tokens_of(data, tokenizer), train.SEQ_LEN))
    if not math.isfinite(total):
        prepare.fail("the model's logits are not finite on the held-out text.")
    return total / (math.log(2) * (len(data) - 1))


def probe(model: Model, data: np.ndarray) -> None:
    """Exits unless the logits depend on the past of their own row and on nothing else. `data` is tokens."""
    length = min(train.SEQ_LEN, len(data) // 2)
    tokens = data[: 2 * length].reshape(2, length).astype(np.int32)
    other = (tokens + train.VOCAB_SIZE // 3) % train.VOCAB_SIZE  # another token in every place
    base = logits_of(model, tokens)
    if not mx.isfinite(base).all().item():
        prepare.fail("the model's logits are not finite.")
    tolerance = PROBE_TOLERANCE * max(mx.abs(base).max().item(), 1.0)

    def moved(changed: np.ndarray, part: tuple[slice, slice]) -> bool:
        return mx.abs(logits_of(model, changed)[part] - base[part]).max().item() > tolerance

    if moved(tokens, (slice(None), slice(None))):
        prepare.fail("the model gives other logits for the same bytes the second time, so it cannot be scored.")
    for cut in sorted({1, length // 2, length - 1} - {0, length}):
        changed = tokens.copy()
        changed[:, cut:] = other[:, cut:]
        if moved(changed, (slice(None), slice(0, cut))):
            prepare.fail(f"the model looks ahead: changing tokens {cut} to {length - 1} moved logits before {cut}.")
    changed = tokens.copy()
    changed[1] = other[1]
    if moved(changed, (slice(0, 1), slice(None))):
        prepare.fail("the model looks across the batch: changing one row moved the logits of another.")


def trained(run_dir: Path, text: prepare.Text) -> tuple[train.GPT, dict[str, Any]]:
    weights, stats_file = run_dir / "model.safetensors", run_dir / "train.json"
    if not (weights.exists() and stats_file.exists()):
        prepare.fail(f"there are no trained weights in {run_dir}: run python train.py first.")
    stats = json.loads(stats_file.read_text())
    if stats["data"] != text.name:
        prepare.fail(f"the weights were trained on {stats['data']}, and this would score them on {text.name}.")
    model = train.build_model()
    model.load_weights(str(weights))
    model.eval()
    return model, stats


def main() -> None:
    began = time.monotonic()
    options = prepare.arguments(test="print test_bpb too: for the end of an experiment")
    text = prepare.load_text(options.data)
    model, stats = trained(prepare.run_dir(), text)
    tokenizer = prepare.Tokenizer(text, train.VOCAB_SIZE)
    data = held_out(text, prepare.VALIDATION)
    probe(model, tokens_of(data, tokenizer))
    val_bpb = bits_per_byte(model, data, tokenizer)
    test_bpb = bits_per_byte(model, held_out(text, prepare.TEST), tokenizer) if options.test else None
    eval_seconds = time.monotonic() - began
    summary = {
        "val_bpb": f"{val_bpb:.6f}",
        **({"test_bpb": f"{test_bpb:.6f}"} if test_bpb is not None else {}),
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
    prepare.print_summary(summary | {"device": stats["device"]})


if __name__ == "__main__":
    prepare.run(main)
