"""The parts of the model that a CPU needs written out. Frozen: an experiment that wants others writes them in train.py.

On a GPU each function is the line that MLX has for it. On MLX's CPU backend every operation is a pass over memory, exp
is a call of libm for each number, and sums along a row are slow: there a function brings its own gradient, made from
what the way forward left behind (the outputs after the first), and sums are matrix products. All of it halves a step.
"""

from __future__ import annotations

import math
from functools import lru_cache

import prepare  # first: what must happen before mlx.core is loaded happens in there

import mlx.core as mx  # isort: skip
from mlx import nn

ON_CPU = prepare.device_name() == "cpu"
Arrays = tuple[mx.array, ...]


def row_mean(x: mx.array) -> mx.array:
    return x @ mx.full((x.shape[-1], 1), 1 / x.shape[-1]) if x.ndim > 1 else x.mean(keepdims=True)


def fast_exp(x: mx.array) -> mx.array:
    """exp(x) within 4 %, for -87 < x < 88: the bits of a float, read as an integer, are nearly its logarithm."""
    x = x.astype(mx.float32)
    return mx.view((x * (2**23 / math.log(2)) + (127 * 2**23 - 366_000)).astype(mx.int32), mx.float32)


# ---------------------------------------------------------------------------------------------------------------------
# Root mean square norm
# ---------------------------------------------------------------------------------------------------------------------


def norm(x: mx.array) -> mx.array:
    return cpu_norm(x)[0] if ON_CPU else mx.fast.rms_norm(x, None, 1e-6)


@mx.custom_function
def cpu_norm(x: mx.array) -> Arrays:
    scale = mx.rsqrt(row_mean(mx.square(x)) + 1e-6)
    return x * scale, scale


@cpu_norm.vjp
def cpu_norm_vjp(_: mx.array, cotangents: Arrays, outputs: Arrays) -> mx.array:
    g, (y, scale) = cotangents[0], outputs
    return scale * (g - y * row_mean(g * y))


# ---------------------------------------------------------------------------------------------------------------------
# ReLU squared
# ---------------------------------------------------------------------------------------------------------------------


def relu_squared(x: mx.array) -> mx.array:
    return cpu_relu_squared(x)[0] if ON_CPU else mx.square(nn.relu(x))


@mx.custom_function
def cpu_relu_squared(x: mx.array) -> Arrays:
    y = mx.maximum(x, 0)
    return mx.square(y), y


@cpu_relu_squared.vjp
def cpu_relu_squared_vjp(_: mx.array, cotangents: Arrays, outputs: Arrays) -> mx.array:
    return 2 * cotangents[0] * outputs[1]


# ---------------------------------------------------------------------------------------------------------------------
# Causal attention
# ---------------------------------------------------------------------------------------------------------------------


class Rotary(nn.Module):
    """Rotary position embedding of queries and keys, which also scales them for `causal_attention`."""

    def __init__(self, head_dim: int, length: int) -> None:
        super().__init__()
        self._scale = head_dim**-0.25  # in queries and in keys, so 1 / sqrt(head_dim) in their product
        angles = mx.outer(mx.arange(length), 10_000.0 ** (-mx.arange(0, head_dim, 2) / head_dim))
        self._cos, self._sin = (mx.tile(part, 2) * self._scale for part in (mx.cos(angles), mx.sin(angles)))
        self._turn = mx.kron(mx.array([[0.0, 1.0], [-1.0, 0.0]]), mx.eye(head_dim // 2))  # a quarter of a circle

    def __call__(self, x: mx.array) -> mx.array:
        length, width = x.shape[-2:]
        if not ON_CPU:
            return mx.fast.rope(x * self._scale, width, traditional=False, base=10_000.0, scale=1.0, offset=0)
        return x * self._cos[:length] + (x @ self._turn) * self._sin[:length]


def causal_attention(q: mx.array, k: mx.array, v: mx.array) -> mx.array:
    """From normed and scaled q and k: so no score is above sqrt(head_dim), and softmax needs no maximum."""
    if not ON_CPU:
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=1.0, mask="causal")
    return cpu_attention(q, k, v)[0]


@lru_cache
def past(length: int) -> mx.array:
    """1 where a row's position sees a column's, else 0."""
    return mx.tri(length)


@mx.custom_function
def cpu_attention(q: mx.array, k: mx.array, v: mx.array) -> Arrays:
    weights = fast_exp(q @ k.swapaxes(-1, -2)) * past(q.shape[-2])
    share = 1 / (weights @ mx.ones((q.shape[-2], 1)))
    return (weights @ v) * share, weights, share


@cpu_attention.vjp
def cpu_attention_vjp(primals: Arrays, cotangents: Arrays, outputs: Arrays) -> Arrays:
    (q, k, v), (mixed, weights, share) = primals, outputs
    g = cotangents[0] * share
    scores = weights * (g @ v.swapaxes(-1, -2) - (g * mixed).sum(-1, keepdims=True))
    return scores @ k, scores.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ g


# ---------------------------------------------------------------------------------------------------------------------
# Cross-entropy
# ---------------------------------------------------------------------------------------------------------------------


def cross_entropy(logits: mx.array, targets: mx.array) -> mx.array:
    """The mean over all targets, in nats."""
    if not ON_CPU:
        return nn.losses.cross_entropy(logits, targets, reduction="mean")
    return cpu_cross_entropy(logits, targets[..., None])[0]


@mx.custom_function
def cpu_cross_entropy(logits: mx.array, targets: mx.array) -> Arrays:
    # Against the target's logit and not the largest, which takes a pass to find: a token of 88 nats overflows to NaN.
    odds = fast_exp(mx.maximum(logits - mx.take_along_axis(logits, targets, -1), -80))
    total = odds @ mx.ones((logits.shape[-1], 1))
    return mx.log(total).mean(), odds, total


@cpu_cross_entropy.vjp
def cpu_cross_entropy_vjp(primals: Arrays, cotangents: Arrays, outputs: Arrays) -> Arrays:
    targets, (_, odds, total) = primals[1], outputs
    share = cotangents[0] / total.size
    grad = odds * (share / total)
    return mx.put_along_axis(grad, targets, mx.take_along_axis(grad, targets, -1) - share, -1), targets


# ---------------------------------------------------------------------------------------------------------------------
# Embedding
# ---------------------------------------------------------------------------------------------------------------------


def look_up(table: mx.array, rows: mx.array) -> mx.array:
    """The sum of a table's rows: from rows (n, batch, length) to (batch, length, width)."""
    return cpu_look_up(table, rows) if ON_CPU else table[rows].sum(0)


@mx.custom_function
def cpu_look_up(table: mx.array, rows: mx.array) -> mx.array:
    return table[rows].sum(0)


@cpu_look_up.vjp
def cpu_look_up_vjp(primals: Arrays, cotangent: mx.array, _: mx.array) -> Arrays:
    table, rows = primals
    pairs = mx.view(cotangent, mx.complex64)  # a scatter adds number by number, and so two floats at a time
    grad = mx.zeros((len(table), pairs.shape[-1]), mx.complex64)
    return mx.view(grad.at[rows].add(mx.broadcast_to(pairs, (*rows.shape, pairs.shape[-1]))), mx.float32), rows
