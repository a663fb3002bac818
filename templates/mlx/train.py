"""Train a small GPT with MLX for TIME_BUDGET seconds of wall clock. This is the file to edit.

Change one constant (or one idea) at a time. `python train.py` trains and leaves the weights in GITEXP_RUN_DIR;
`python evaluate.py` then scores them. prepare.py (data, clock), kernels.py (norm, attention, loss, fast on a CPU) and
evaluate.py (score) are frozen.
"""

from __future__ import annotations

import gc

import kernels
import prepare  # before mlx.core: what must happen before that is loaded happens in there

import mlx.core as mx  # isort: skip
from kernels import norm
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten

# ---------------------------------------------------------------------------------------------------------------------
# Constants: one a line, so that an experiment is a diff of one line
# ---------------------------------------------------------------------------------------------------------------------

# Tokens
VOCAB_SIZE = 256  # a token is a byte; more than 256 is BPE of that many tokens (pip install tokenizers)

# Model
DEPTH = 1  # transformer blocks, the knob for a GPU; on one core 2 loses 0.26 at 10 s, 0.09 at 60 s, gains 0.07 at 300 s
ASPECT_RATIO = 64  # model width = DEPTH * ASPECT_RATIO; 128 costs 0.03 at 300 s, and with DEPTH 2 48 costs 0.01
HEAD_DIM = 32  # width of one attention head; must divide the model width
MLP_RATIO = 4  # hidden width of the MLP = MLP_RATIO * model width
NGRAM = 4  # longest run of tokens with an embedding of its own: 1 is the token alone, 2 adds pairs, and so on
NGRAM_BUCKETS = 4096  # rows of the hashed table that those embeddings share

# Batch
SEQ_LEN = 128  # tokens of context
BATCH_SIZE = 8  # sequences a step

# Optimizer
MATRIX_LR = 0.02  # Muon, the matrices inside the blocks
EMBED_LR = 0.03  # the embeddings of tokens and of runs
HEAD_LR = 0.01  # the output head
MOMENTUM = 0.95  # Muon
NEWTON_SCHULZ_STEPS = 2  # Muon: iterations that make an update orthogonal; 3 take 3 % more of a step and gain nothing
ROW_DECAY = 0.95  # embeddings and head: decay of the mean square of a row's gradient
WARMDOWN = 0.8  # last share of the budget, in which the rate falls linearly to FINAL_LR; 0.5 costs 0.002 to 0.006
FINAL_LR = 0.0  # share of the rate that is left at the end

# Precision inside the blocks; weights, optimizer and loss stay float32. bfloat16 halves the memory traffic on a GPU
# (not measured, for want of one) and gains nothing on MLX's CPU backend.
DTYPE = mx.float32 if kernels.ON_CPU else mx.bfloat16

# Guards
MAX_LOSS = 100.0  # nats; above it the run has diverged
EMA_DECAY = 0.95  # smoothing of the printed loss

# ---------------------------------------------------------------------------------------------------------------------
# Model
# ---------------------------------------------------------------------------------------------------------------------


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
        self.rope = kernels.Rotary(HEAD_DIM, SEQ_LEN)

    def __call__(self, x: mx.array) -> mx.array:
        batch, length, width = x.shape
        heads = self.qkv(x).reshape(batch, length, 3 * width // HEAD_DIM, HEAD_DIM).swapaxes(1, 2)
        qk, v = mx.split(heads, [2 * width // HEAD_DIM], axis=1)
        q, k = mx.split(self.rope(norm(qk)), 2, axis=1)  # QK-norm bounds the scores, so large rates stay stable
        mixed = kernels.causal_attention(q, k, v)
        return self.out(mixed.swapaxes(1, 2).reshape(batch, length, width))


class MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = Linear(width, MLP_RATIO * width)
        self.down = Linear(MLP_RATIO * width, width)

    def __call__(self, x: mx.array) -> mx.array:
        return self.down(kernels.relu_squared(self.up(x)))  # on a CPU 30 times as fast as GELU or SiLU


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
        self.embed = nn.Embedding(VOCAB_SIZE + NGRAM_BUCKETS, width)  # of tokens, then of runs
        self.blocks = [Block(width) for _ in range(DEPTH)]
        self.head = Linear(width, VOCAB_SIZE)

    def __call__(self, tokens: mx.array) -> mx.array:
        """Logits (batch, length, vocabulary) for tokens (batch, length)."""
        length = tokens.shape[1]
        padded = mx.pad(tokens.astype(mx.uint32), ((0, 0), (NGRAM - 1, 0)))
        run, rows = 0, []
        for n in range(NGRAM):
            earlier = padded[:, NGRAM - 1 - n : NGRAM - 1 - n + length]
            run = run * 31337 + earlier + n  # a hash: it wraps around
            rows.append(run % NGRAM_BUCKETS + VOCAB_SIZE if n else earlier)
        x = norm(kernels.look_up(self.embed.weight, mx.stack(rows))).astype(DTYPE)
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
    model.embed.weight[VOCAB_SIZE:] = 0
    return model


def loss_fn(model: GPT, inputs: mx.array, targets: mx.array) -> mx.array:
    """Mean cross-entropy in nats."""
    return kernels.cross_entropy(model(inputs), targets)


# ---------------------------------------------------------------------------------------------------------------------
# Optimizer
# ---------------------------------------------------------------------------------------------------------------------


class Optimizer:
    """Muon for the matrices inside the blocks. For the rest, whose rows each stand for a token or a run: the gradient
    over the root of its mean square in that row, which is Adam without momentum and with one second moment a row. It
    takes a third of Adam's time, and scores 0.01 better."""

    def __init__(self, model: GPT) -> None:
        self.state = {
            name: mx.zeros_like(weight) if is_matrix(name, weight) else kernels.row_mean(mx.zeros_like(weight))
            for name, weight in tree_flatten(model.trainable_parameters())
        }
        self.set_rate(1.0)

    def set_rate(self, scale: float) -> None:
        self.state["rate"] = mx.array(scale)  # among the state, as a compiled step would keep a number for ever

    def update(self, model: GPT, grads: dict) -> None:
        state, rate = self.state, self.state["rate"]
        weights = dict(tree_flatten(model.trainable_parameters()))
        for name, g in tree_flatten(grads):
            if is_matrix(name, g):
                state[name] = MOMENTUM * state[name] + g
                change = orthogonal(g + MOMENTUM * state[name]) * (MATRIX_LR * rate)
            else:  # 1e-20: no division by zero, and no denormal numbers, which are slow
                state[name] = ROW_DECAY * state[name] + (1 - ROW_DECAY) * (kernels.row_mean(mx.square(g)) + 1e-20)
                change = g * ((EMBED_LR if name.startswith("embed") else HEAD_LR) * rate * mx.rsqrt(state[name]))
            weights[name] = weights[name] - change
        model.update(tree_unflatten(list(weights.items())))


def is_matrix(name: str, weight: mx.array) -> bool:
    return name.startswith("blocks") and weight.ndim == 2


def orthogonal(x: mx.array) -> mx.array:
    """Near the closest matrix with orthonormal rows (or columns), by Newton-Schulz iteration."""
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for step in range(NEWTON_SCHULZ_STEPS):
        a = x @ x.T
        if step == 0:  # a's norm bounds the square of x's largest singular value, closer than x's own norm does
            shrink = mx.rsqrt(mx.square(a).sum() + 1e-20)
            x, a = x * mx.sqrt(shrink), a * shrink
        x = mx.addmm(3.4445 * x, mx.addmm(-4.7750 * a, a, a, alpha=2.0315), x)
    return x.T if tall else x


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
        if not abs(nats) <= MAX_LOSS:  # true of NaN too
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
