"""Train a small GPT with MLX for TIME_BUDGET seconds of wall clock. This is the file to edit.

Change one constant (or one idea) at a time. `python train.py` trains and leaves the weights in GITEXP_RUN_DIR;
`python evaluate.py` then scores them. prepare.py (data, clock) and evaluate.py (score) are frozen.
"""

from __future__ import annotations

import gc

import prepare  # first: what must happen before mlx.core is loaded happens in there

import mlx.core as mx  # isort: skip
import mlx.optimizers as optim
from mlx import nn
from mlx.utils import tree_flatten

# ---------------------------------------------------------------------------------------------------------------------
# Constants: one a line, so that an experiment is a diff of one line
# ---------------------------------------------------------------------------------------------------------------------

# Tokens
VOCAB_SIZE = 256  # a token is a byte; more than 256 is BPE of that many tokens (pip install tokenizers)

# Model
DEPTH = 1  # transformer blocks, the knob for a GPU; on one core 2 loses 0.2 at 10 s, 0.1 at 60 s, gains 0.04 at 300 s
ASPECT_RATIO = 64  # model width = DEPTH * ASPECT_RATIO; 32 gains 0.02 to 0.04 at 10 s and costs 0.05 to 0.08 at 60 s
HEAD_DIM = 32  # width of one attention head; must divide the model width
MLP_RATIO = 4  # hidden width of the MLP = MLP_RATIO * model width
NGRAM = 4  # longest run of tokens with an embedding of its own: 1 is the token alone, 2 adds pairs, and so on
NGRAM_BUCKETS = 4096  # rows of the hashed table that those embeddings share

# Batch
SEQ_LEN = 128  # tokens of context
BATCH_SIZE = 8  # sequences a step; 4 costs 0.05, and 16 is 0.02 worse at 10 s and equal at 60 s

# Optimizer
MATRIX_LR = 0.02  # Muon, the matrices inside the blocks
EMBED_LR = 0.01  # AdamW, the embeddings of tokens and of runs
HEAD_LR = 0.015  # AdamW, the output head
MOMENTUM = 0.95  # Muon
NEWTON_SCHULZ_STEPS = 5  # Muon: iterations that make an update orthogonal
ADAM_BETAS = (0.8, 0.95)  # AdamW: decay of the first and second moment
WEIGHT_DECAY = 0.0  # AdamW
WARMDOWN = 0.8  # last share of the budget, in which the rate falls linearly to FINAL_LR; 0.5 costs 0.002 to 0.006
FINAL_LR = 0.0  # share of the rate that is left at the end

# Precision inside the blocks; weights, optimizer and loss stay float32. bfloat16 halves the memory traffic on a GPU
# (not measured, for want of one) and gains nothing on MLX's CPU backend.
DTYPE = mx.float32 if prepare.device_name() == "cpu" else mx.bfloat16

# Guards
MAX_LOSS = 100.0  # nats; above it the run has diverged
EMA_DECAY = 0.95  # smoothing of the printed loss

# ---------------------------------------------------------------------------------------------------------------------
# Model
# ---------------------------------------------------------------------------------------------------------------------


@mx.custom_function
def fast_exp(x: mx.array) -> mx.array:
    """exp(x) for -80 < x < 80, as (1 + y + y²/2) ** 256 with y = x / 256: MLX's CPU backend calls the scalar libm for
    exp, and this takes a sixth of the time. The error is under 0.02 % where |x| < 6."""
    x = x * (1 / 256)
    x = 1 + x * (1 + 0.5 * x)
    for _ in range(8):
        x = mx.square(x)
    return x


@fast_exp.vjp
def fast_exp_vjp(_: mx.array, cotangent: mx.array, output: mx.array) -> mx.array:
    return cotangent * output


def causal_attention(q: mx.array, k: mx.array, v: mx.array) -> mx.array:
    scale = HEAD_DIM**-0.5
    if prepare.device_name() != "cpu":
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask="causal")
    # The same by hand, half the time on a CPU. Normed q and k keep |score| <= sqrt(HEAD_DIM): softmax needs no maximum.
    weights = fast_exp((q * scale) @ k.swapaxes(-1, -2)) * mx.tri(q.shape[2])
    return (weights @ v) / weights.sum(-1, keepdims=True)


def norm(x: mx.array) -> mx.array:
    return mx.fast.rms_norm(x, None, 1e-6)


class Linear(nn.Linear):
    """No bias; float32 weights, multiplied in the precision of what comes in."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        return x @ self.weight.astype(x.dtype).T


class Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)
        self.rope = nn.RoPE(HEAD_DIM)

    def __call__(self, x: mx.array) -> mx.array:
        batch, length, width = x.shape
        parts = mx.split(self.qkv(x), 3, axis=-1)
        q, k, v = (part.reshape(batch, length, width // HEAD_DIM, HEAD_DIM).swapaxes(1, 2) for part in parts)
        q, k = self.rope(norm(q)), self.rope(norm(k))  # QK-norm keeps the scores bounded, so large rates stay stable
        mixed = causal_attention(q, k, v)
        return self.out(mixed.swapaxes(1, 2).reshape(batch, length, width))


class MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = Linear(width, MLP_RATIO * width)
        self.down = Linear(MLP_RATIO * width, width)

    def __call__(self, x: mx.array) -> mx.array:
        # ReLU squared: on MLX's CPU backend 30 times as fast as GELU or SiLU
        return self.down(mx.square(nn.relu(self.up(x))))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = Attention(width)
        self.mlp = MLP(width)

    def __call__(self, x: mx.array) -> mx.array:
        x = x + self.attention(norm(x))
        return x + self.mlp(norm(x))


class GPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        width = DEPTH * ASPECT_RATIO
        self.embed = nn.Embedding(VOCAB_SIZE, width)
        self.ngrams = nn.Embedding(NGRAM_BUCKETS, width)
        self.blocks = [Block(width) for _ in range(DEPTH)]
        self.head = Linear(width, VOCAB_SIZE)

    def __call__(self, tokens: mx.array) -> mx.array:
        """Logits (batch, length, vocabulary) for tokens (batch, length)."""
        tokens = run = tokens.astype(mx.uint32)
        x, runs = self.embed(tokens), []
        for n in range(1, NGRAM):
            earlier = mx.pad(tokens, ((0, 0), (n, 0)))[:, : tokens.shape[1]]
            run = run * 31337 + earlier + n  # a hash: it wraps around
            runs.append(run % NGRAM_BUCKETS)
        if runs:
            x = x + self.ngrams(mx.stack(runs)).sum(0)  # one look-up, so that there is one scatter on the way back
        x = norm(x).astype(DTYPE)
        for block in self.blocks:
            x = block(x)
        return self.head(norm(x)).astype(mx.float32)


def build_model() -> GPT:
    """The model with fresh weights; evaluate.py calls this too, and then loads the trained ones."""
    model = GPT()
    for block in model.blocks:  # each block starts as the identity, so depth does not hurt the first steps
        block.attention.out.weight = mx.zeros_like(block.attention.out.weight)
        block.mlp.down.weight = mx.zeros_like(block.mlp.down.weight)
    model.head.weight = mx.zeros_like(model.head.weight)
    model.ngrams.weight = mx.zeros_like(model.ngrams.weight)
    return model


def loss_fn(model: GPT, inputs: mx.array, targets: mx.array) -> mx.array:
    """Mean cross-entropy in nats."""
    logits = model(inputs)
    if prepare.device_name() != "cpu":
        return nn.losses.cross_entropy(logits, targets, reduction="mean")
    highest = mx.stop_gradient(logits.max(-1, keepdims=True))
    total = fast_exp(mx.maximum(logits - highest, -80)).sum(-1, keepdims=True)
    return (mx.log(total) + highest - mx.take_along_axis(logits, targets[..., None], -1)).mean()


# ---------------------------------------------------------------------------------------------------------------------
# Optimizer
# ---------------------------------------------------------------------------------------------------------------------


class Optimizer(optim.MultiOptimizer):
    """Muon for the matrices inside the blocks, AdamW for the rest: the library's own, each with its own rate."""

    def __init__(self, model: GPT) -> None:
        # No bias correction, it costs 5 % of a step: with these betas the first one is (1 - 0.8) / sqrt(1 - 0.95) = 0.9
        # of a corrected one. Other betas may need it.
        adamw = {"betas": list(ADAM_BETAS), "eps": 1e-10, "weight_decay": WEIGHT_DECAY, "bias_correction": False}
        muon = optim.Muon(MATRIX_LR, MOMENTUM, weight_decay=0.0, ns_steps=NEWTON_SCHULZ_STEPS)
        super().__init__(
            [muon, optim.AdamW(EMBED_LR, **adamw), optim.AdamW(HEAD_LR, **adamw)],
            [
                lambda name, weight: name.startswith("blocks") and weight.ndim == 2,
                lambda name, _: name.startswith(("embed", "ngrams")),
            ],
        )
        self.init(model.trainable_parameters())

    def set_rate(self, scale: float) -> None:
        for part, rate in zip(self.optimizers, (MATRIX_LR, EMBED_LR, HEAD_LR), strict=True):
            part.learning_rate = rate * scale


def rate_at(progress: float) -> float:
    """Constant, then a linear warm-down. By progress (time / budget) and not by steps, so that it fits any machine."""
    left = min(max((1.0 - progress) / WARMDOWN, 0.0), 1.0) if WARMDOWN else 1.0
    return FINAL_LR + (1.0 - FINAL_LR) * left


# ---------------------------------------------------------------------------------------------------------------------
# Loop
# ---------------------------------------------------------------------------------------------------------------------


def main() -> None:
    budget = prepare.Budget()
    text, seed = prepare.load_text(prepare.arguments().data), prepare.random_seed()
    batches = prepare.training_batches(text, VOCAB_SIZE, BATCH_SIZE, SEQ_LEN, seed)
    device, peak = prepare.device_name(), prepare.peak_gflops()
    mx.random.seed(seed)
    model = build_model()
    optimizer = Optimizer(model)
    loss_and_grad = nn.value_and_grad(model, loss_fn)

    def train_step(inputs: mx.array, targets: mx.array) -> mx.array:
        loss, grads = loss_and_grad(model, inputs, targets)
        optimizer.update(model, grads)
        return loss

    if device != "cpu":
        # One fused graph a step. On the CPU that gained 5 %, and the first start after an edit of the model waited
        # up to 15 s for g++ (MLX compiles there at run time; without g++ it falls back), so it stays off.
        state = [model.state, optimizer.state]
        train_step = mx.compile(train_step, inputs=state, outputs=state)

    step, average = 0, 0.0  # step 0 warms up: it loads and compiles, and the budget starts after it
    while step == 0 or budget.progress < 1:
        rate = rate_at(budget.progress if step else 0.0)
        optimizer.set_rate(rate)
        inputs, targets = next(batches)
        loss = train_step(mx.array(inputs), mx.array(targets))
        mx.eval(loss, model.state, optimizer.state)  # before any clock is read: MLX is lazy
        nats = loss.item()
        if not nats <= MAX_LOSS:  # true of NaN too
            prepare.fail(f"the loss is {nats:.4g} at step {step}: training has diverged (a rate may be too high).")
        average = EMA_DECAY * average + (1 - EMA_DECAY) * nats
        smooth = average / (1 - EMA_DECAY ** (step + 1))  # debiased: else the first steps would be pulled to 0
        if step == 0:
            gc.collect()
            gc.freeze()  # what lives now lives to the end, and what comes is freed by its count:
            gc.disable()  # so no pause of the collector falls into the budget
            budget.start()
        else:
            budget.show(step, smooth, rate, step * BATCH_SIZE * SEQ_LEN)
        step += 1
    stats = budget.stop(steps=step - 1, tokens_per_step=BATCH_SIZE * SEQ_LEN)

    sizes = {name: value.size for name, value in tree_flatten(model.parameters())}
    matrices = sum(size for name, size in sizes.items() if name.startswith(("blocks", "head")))
    flops_per_token = 6 * matrices + 12 * DEPTH * SEQ_LEN * DEPTH * ASPECT_RATIO
    stats |= {
        "mfu_percent": 100 * flops_per_token * stats["tokens_per_second"] / (peak * 1e9),
        "train_loss": smooth,
        "num_params": sum(sizes.values()),
        "depth": DEPTH,
        "dim": DEPTH * ASPECT_RATIO,
        "device": f"{device}, {prepare.BLAS}" if device == "cpu" else device,
        "data": text.name,
    }
    prepare.finish(model, stats)


if __name__ == "__main__":
    prepare.run(main)
