"""Faults of attention: scale, heads, masks, rotary positions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F

from proof.faults.fault import Fault, normal

QKV = normal(q=(2, 5, 8), k=(2, 5, 8), v=(2, 5, 8))
MASKED = normal(q=(2, 5, 8), k=(2, 5, 8), v=(2, 5, 8), keep=lambda rng: np.arange(25).reshape(5, 5) % 3 > 0)
ROWS = normal(x=(5, 12), w=lambda rng: rng.standard_normal((36, 12)) / math.sqrt(12))
POSITIONS = normal(x=(6, 8))
KEYS = ("k", "v")  # a query that sees one key has a gradient of 0 but for rounding, which differs between machines


def attention(scale=8**-0.5, axis=-1):
    return lambda q, k, v: jax.nn.softmax(q @ k.swapaxes(-1, -2) * scale, axis) @ v


def masked_attention(fill=-np.inf, invert=False):
    def function(q, k, v, keep):
        keep = ~keep if invert else keep
        return jax.nn.softmax(jnp.where(keep, q @ k.swapaxes(-1, -2) / math.sqrt(8), fill)) @ v

    return function


def mask_after_softmax(q, k, v, keep):
    return jnp.where(keep, jax.nn.softmax(q @ k.swapaxes(-1, -2) / math.sqrt(8)), 0) @ v


def causal(diagonal=0):
    def function(q, k, v):
        keep = jnp.tril(jnp.ones((q.shape[-2], k.shape[-2]), bool), diagonal)
        return masked_attention()(q, k, v, keep)

    return function


def lowest_of_dtype(q, k, v, keep):
    return masked_attention(jnp.finfo(q.dtype).min)(q, k, v, keep)


def torch_attention(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


def torch_masked(q, k, v, keep):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=keep)


def self_attention(heads=3, order=(0, 1, 2), split=lambda x, heads: x.reshape(len(x), heads, -1).transpose(1, 0, 2)):
    """Heads of one fused projection; `order` says where queries, keys and values stand in it."""

    def function(x, w):
        parts = jnp.split(x @ w.T, 3, -1)
        q, k, v = (split(parts[i], heads) for i in order)
        y = jax.nn.softmax(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])) @ v
        return y.transpose(1, 0, 2).reshape(len(x), -1)

    return function


def torch_self_attention(x, w):
    q, k, v = ((x @ w.T).chunk(3, -1)[i].unflatten(-1, (3, 4)).transpose(0, 1) for i in range(3))
    return F.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1)


def heads_last(x, heads):
    return x.reshape(len(x), -1, heads).transpose(2, 0, 1)


def angles(positions, features, base=10000.0):
    return np.arange(positions)[:, None] / base ** (np.arange(0, features, 2) / features)


def rotary(base=10000.0, interleaved=False, first=0, features=8):
    """Rotates pairs of features by angles that grow with the position; the pairs are neighbours or half a row apart."""

    def function(x):
        turn = angles(len(x) + first, features, base)[first:]
        sin, cos = np.sin(turn), np.cos(turn)
        y, rest = x[:, :features], x[:, features:]
        a, b = (y[:, ::2], y[:, 1::2]) if interleaved else jnp.split(y, 2, -1)
        pairs = (a * cos - b * sin, a * sin + b * cos)
        turned = jnp.stack(pairs, -1).reshape(y.shape) if interleaved else jnp.concatenate(pairs, -1)
        return jnp.concatenate((turned, rest), -1)

    return function


def torch_rotary(x):
    turn = torch.arange(6, dtype=torch.float64)[:, None] / 10000 ** (torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    turn = torch.cat((turn, turn), -1)
    return (x * turn.cos() + torch.cat((-x[:, 4:], x[:, :4]), -1) * turn.sin()).to(x.dtype)


FAULTS = (
    Fault(
        "softmax: scale off by 8e-11",
        "measured: float32 cannot show it",
        QKV,
        torch_attention,
        attention(),
        attention((1 + 8e-11) / math.sqrt(8)),
    ),
    Fault(
        "softmax: scale 1/d",
        "made for this table",
        QKV,
        torch_attention,
        attention(),
        attention(1 / 8),
    ),
    Fault(
        "softmax: no scale",
        "made for this table",
        QKV,
        torch_attention,
        attention(),
        attention(1.0),
    ),
    Fault(
        "softmax: over the queries",
        "made for this table",
        QKV,
        torch_attention,
        attention(),
        attention(axis=-2),
    ),
    Fault(
        "heads: 2 for 3",
        "made for this table",
        ROWS,
        torch_self_attention,
        self_attention(),
        self_attention(heads=2),
    ),
    Fault(
        "heads: the last axis of the split for the first",
        "several converters",
        ROWS,
        torch_self_attention,
        self_attention(),
        self_attention(split=heads_last),
    ),
    Fault(
        "fused projection: keys before queries",
        "several converters",
        ROWS,
        torch_self_attention,
        self_attention(),
        self_attention(order=(1, 0, 2)),
    ),
    Fault(
        "fused projection: values before keys",
        "several converters",
        ROWS,
        torch_self_attention,
        self_attention(),
        self_attention(order=(0, 2, 1)),
    ),
    Fault(
        "mask: inverted",
        "NeMo Automodel PR#2658",
        MASKED,
        torch_masked,
        masked_attention(),
        masked_attention(invert=True),
    ),
    Fault(
        "mask: the lowest number for minus infinity, a row all masked",
        "transformers#19897",
        normal(q=(2, 5, 8), k=(2, 5, 8), v=(2, 5, 8), keep=lambda rng: np.arange(5)[:, None] != [[2]] * 5),
        lambda q, k, v, keep: torch.softmax((q @ k.mT / math.sqrt(8)).masked_fill(~keep, -torch.inf), -1) @ v,
        masked_attention(),
        lowest_of_dtype,
        wrt=(),
    ),
    Fault(
        "mask: -10 for minus infinity",
        "transformers#19897",
        MASKED,
        torch_masked,
        masked_attention(),
        masked_attention(-10.0),
    ),
    Fault(
        "mask: after the softmax",
        "made for this table",
        MASKED,
        torch_masked,
        masked_attention(),
        mask_after_softmax,
    ),
    Fault(
        "causal mask: sees the next position",
        "made for this table",
        QKV,
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        causal(),
        causal(1),
        wrt=KEYS,
    ),
    Fault(
        "causal mask: aligned at the end of a longer memory",
        "made for this table",
        normal(q=(2, 3, 8), k=(2, 5, 8), v=(2, 5, 8)),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        causal(),
        causal(2),
        wrt=KEYS,
    ),
    Fault(
        "rotary: neighbours for halves",
        "transformers#25199, EasyLM PR#15",
        POSITIONS,
        torch_rotary,
        rotary(),
        rotary(interleaved=True),
    ),
    Fault(
        "rotary: half of the features",
        "transformers#25199, EasyLM PR#15",
        POSITIONS,
        torch_rotary,
        rotary(),
        rotary(features=4),
    ),
    Fault(
        "rotary: base 10,001",
        "made for this table",
        POSITIONS,
        torch_rotary,
        rotary(),
        rotary(base=10001.0),
    ),
    Fault(
        "rotary: base off by 1e-9 of itself",
        "made for this table: float32 cannot show it",
        POSITIONS,
        torch_rotary,
        rotary(),
        rotary(base=10000.0 * (1 + 1e-9)),
    ),
    Fault(
        "rotary: positions from 1",
        "made for this table",
        POSITIONS,
        torch_rotary,
        rotary(),
        rotary(first=1),
    ),
)
