"""The template's model in plain eager PyTorch, trained as nanoGPT trains its small character model.

Run by runs.train_torch in a folder with the constants and the text that timed.py exported. The model, the batches (same
generator, same seed), the budget's clock and float32 are the template's. From nanoGPT are the initial weights (normal,
0.02), AdamW with betas (0.9, 0.99), weight decay 0.1, clipping at 1, a warm-up over 2 % of the run, a cosine down to a
tenth, and scaled_dot_product_attention. AdamW is the fused one, torch's fastest on a CPU.
"""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

CONSTANTS = json.loads(Path("constants.json").read_text())
DEPTH, HEAD_DIM, SEQ_LEN, BATCH_SIZE = (CONSTANTS[key] for key in ("DEPTH", "HEAD_DIM", "SEQ_LEN", "BATCH_SIZE"))
WIDTH, HIDDEN = DEPTH * CONSTANTS["ASPECT_RATIO"], CONSTANTS["MLP_RATIO"]
BUDGET, RATE, SEED = float(os.environ["TIME_BUDGET"]), float(os.environ["BENCH_RATE"]), int(os.environ["RANDOM_SEED"])
VOCAB_SIZE = 256


def norm(x: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, (x.shape[-1],), eps=1e-6)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, -1, HEAD_DIM).permute(2, 0, 3, 1, 4)
        q, k = rotate(norm(q), cos, sin), rotate(norm(k), cos, sin)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), -1)


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(WIDTH, HIDDEN * WIDTH, bias=False)
        self.down = nn.Linear(HIDDEN * WIDTH, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(functional.relu(self.up(x)).square())


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.mlp = MLP()

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(norm(x), cos, sin)
        return x + self.mlp(norm(x))


class GPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCAB_SIZE + CONSTANTS["NGRAM_BUCKETS"], WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.head = nn.Linear(WIDTH, VOCAB_SIZE, bias=False)
        angles = torch.outer(torch.arange(SEQ_LEN), 10_000.0 ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, weight in self.named_parameters():
            into_residual = name.endswith(("out.weight", "down.weight"))
            nn.init.normal_(weight, std=0.02 / math.sqrt(2 * DEPTH) if into_residual else 0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        run, rows = tokens, [tokens]
        for n in range(1, CONSTANTS["NGRAM"]):
            earlier = functional.pad(tokens, (n, 0))[:, : tokens.shape[1]]
            run = (run * 31337 + earlier + n) % 2**32
            rows.append(run % CONSTANTS["NGRAM_BUCKETS"] + VOCAB_SIZE)
        x = norm(self.embed(torch.stack(rows)).sum(0))  # one look-up: faster than one a run
        for block in self.blocks:
            x = block(x, self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]])
        return self.head(norm(x))


def batch(text: np.ndarray, spans: np.ndarray, ends: np.ndarray, generator: np.random.Generator) -> torch.Tensor:
    """What prepare.training_batches draws."""
    picks = generator.integers(ends[-1], size=BATCH_SIZE)
    rows = np.searchsorted(ends, picks, side="right")
    starts = spans[rows, 1] - SEQ_LEN - (ends[rows] - picks)
    return torch.from_numpy(np.stack([text[start : start + SEQ_LEN + 1] for start in starts])).long()


def rate_at(progress: float) -> float:
    if progress < 0.02:
        return RATE * progress / 0.02
    return RATE * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min((progress - 0.02) / 0.98, 1))))


def peak_gflops() -> float:
    a, best = torch.ones(1024, 1024), math.inf
    for _ in range(5):
        began = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - began)
    return 2e-9 * 1024**3 / best


def main() -> None:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(SEED)
    peak, generator = peak_gflops(), np.random.default_rng(SEED)
    with np.load("text.npz") as saved:
        text, spans = saved["text"], saved["spans"]
    ends = np.cumsum(np.maximum(spans[:, 1] - spans[:, 0] - SEQ_LEN, 0))
    model = GPT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    moments, progress = [], 0.0
    while progress < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(progress)
        window = batch(text, spans, ends, generator)
        logits = model(window[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        moments.append(time.monotonic())
        progress = (moments[-1] - moments[0]) / BUDGET

    steps, seconds = len(moments) - 1, moments[-1] - moments[0]
    folder = Path(".gitexp-run")
    folder.mkdir(exist_ok=True)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    rate, parameters = steps * BATCH_SIZE * SEQ_LEN / seconds, sum(weight.numel() for weight in model.parameters())
    unknown = dict.fromkeys(("startup_seconds", "peak_memory_mb", "mfu_percent"), 0.0)
    sizes = {"num_params": parameters, "depth": DEPTH, "dim": WIDTH, "device": "cpu, torch", "data": CONSTANTS["name"]}
    figures = {"training_seconds": seconds, "steps": steps, "tokens_per_second": rate, "loss": loss.item()}
    (folder / "train.json").write_text(json.dumps(unknown | sizes | figures))
    Path("timed.json").write_text(json.dumps({"moments": moments, "peak_gflops": peak}))


if __name__ == "__main__":
    main()
