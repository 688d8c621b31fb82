"""Faults of single numbers: indices, integers, rounding, NaN and infinity, a constant's digits."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import torch

from proof.faults.fault import Fault, normal

ROWS = normal(x=(6, 8))
POSITIVE = normal(x=lambda rng: rng.uniform(0.5, 2.0, size=(6, 8)))
WITH_ZERO = normal(x=lambda rng: np.vstack((rng.standard_normal((3, 4)), np.zeros((1, 4)))))
INTEGERS = normal(a=lambda rng: rng.integers(-50, 50, size=16), b=lambda rng: rng.integers(2, 9, size=16))

LOG_SUM_EXP = (
    lambda x: torch.logsumexp(x, -1),
    lambda x: jax.nn.logsumexp(x, -1),
    lambda x: jnp.log(jnp.sum(jnp.exp(x), -1)),
)
"""Torch, an honest port, and one that does not take the largest out first."""


def tanh_gelu(root, cubic=0.044715):
    return lambda x: 0.5 * x * (1 + jnp.tanh(root * (x + cubic * x**3)))


def norm(x):
    square = jnp.sum(x * x, -1)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def entropy(x):
    return -jnp.where(x > 0, x * jnp.log(jnp.where(x > 0, x, 1)), 0)


def torch_entropy(x):
    return -torch.where(x > 0, x * torch.log(torch.where(x > 0, x, torch.ones_like(x))), torch.zeros_like(x))


def quantized(whole):
    return lambda x: jnp.clip(whole(x / 0.05), -127, 127).astype(jnp.int32)


FAULTS = (
    Fault(
        "GELU: sqrt(2/pi) to ten digits",
        "made for this table: float32 cannot show it",
        ROWS,
        lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        tanh_gelu(math.sqrt(2 / math.pi)),
        tanh_gelu(0.7978845608),
    ),
    Fault(
        "GELU: 0.0447 for 0.044715",
        "made for this table",
        ROWS,
        lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        tanh_gelu(math.sqrt(2 / math.pi)),
        tanh_gelu(math.sqrt(2 / math.pi), cubic=0.0447),
    ),
    Fault(
        "SELU: scale to eight digits",
        "made for this table: float32 cannot show it",
        ROWS,
        lambda x: torch.nn.functional.selu(x),
        jax.nn.selu,
        lambda x: 1.05070098 * jnp.where(x > 0, x, 1.67326324 * jnp.expm1(x)),
    ),
    Fault(
        "one element of 48 off by 1e-9",
        "made for this table: float32 cannot show it",
        ROWS,
        lambda x: x * 3,
        lambda x: x * 3,
        lambda x: (x * 3).at[3, 5].mul(1 + 1e-9),
    ),
    Fault(
        "argmax: of the other sign",
        "made for this table",
        ROWS,
        lambda x: x.argmax(-1),
        lambda x: x.argmax(-1),
        lambda x: (-x).argmax(-1),
    ),
    Fault(
        "labels: shifted by one",
        "made for this table",
        normal(logits=(7, 5), ids=lambda rng: rng.integers(0, 5, size=7)),
        lambda logits, ids: logits[:-1].gather(1, ids[1:, None]),
        lambda logits, ids: jnp.take_along_axis(logits[:-1], ids[1:, None], 1),
        lambda logits, ids: jnp.take_along_axis(logits[:-1], ids[:-1, None], 1),
    ),
    Fault(
        "sort: ascending for descending",
        "made for this table",
        ROWS,
        lambda x: x.topk(3).values,
        lambda x: jax.lax.top_k(x, 3)[0],
        lambda x: jnp.sort(x)[:, :3],
    ),
    Fault(
        "quantisation: truncated for rounded",
        "float to int, measured",
        ROWS,
        lambda x: (x / 0.05).round().clamp(-127, 127).int(),
        quantized(jnp.round),
        quantized(jnp.trunc),
    ),
    Fault(
        "conversion to int8: clamped for wrapped",
        "float32 300 to int8, measured",
        normal(a=lambda rng: rng.integers(100, 400, size=16)),
        lambda a: a.to(torch.int8),
        lambda a: a.astype(jnp.int8),
        lambda a: a.astype(jnp.float32).astype(jnp.int8),
    ),
    Fault(
        "integer division: down for towards zero",
        "made for this table",
        INTEGERS,
        lambda a, b: torch.div(a, b, rounding_mode="trunc"),
        lambda a, b: jax.lax.div(a, b),
        lambda a, b: a // b,
    ),
    Fault(
        "remainder: the divisor's sign for the dividend's",
        "made for this table",
        normal(x=(6, 8), y=lambda rng: rng.uniform(0.3, 0.7, size=(6, 8))),
        lambda x, y: torch.fmod(x, y),
        lambda x, y: jnp.fmod(x, y),
        lambda x, y: jnp.mod(x, y),
    ),
    Fault(
        "median: the mean of two for the lower",
        "torch against jax.numpy, measured",
        ROWS,
        lambda x: x.median(-1).values,
        lambda x: jnp.sort(x)[:, 3],
        lambda x: jnp.median(x, -1),
    ),
    Fault(
        "norm: NaN for 0 in the gradient at zero",
        "jax#3058",
        WITH_ZERO,
        lambda x: torch.linalg.vector_norm(x, dim=-1),
        norm,
        lambda x: jnp.linalg.norm(x, axis=-1),
        stage="gradient",
    ),
    Fault(
        "where: NaN in the gradient of the branch not taken",
        "made for this table",
        normal(x=lambda rng: np.array([0.0, 0.5, 1.0, 2.0])),
        torch_entropy,
        entropy,
        lambda x: -jnp.where(x > 0, x * jnp.log(x), 0),
        stage="gradient",
    ),
    Fault(
        "log of a sum of exponentials: infinity",
        "made for this table",
        normal(x=lambda rng: 8000 + rng.standard_normal((4, 6))),
        *LOG_SUM_EXP,
    ),
    Fault(
        "log: minus infinity clamped",
        "made for this table",
        normal(x=lambda rng: np.array([0.0, 0.5, 1.0, 2.0])),
        lambda x: torch.log(x),
        lambda x: jnp.log(x),
        lambda x: jnp.maximum(jnp.log(x), -100.0),
        wrt=(),
    ),
    Fault(
        "square root: NaN hidden by a clamp",
        "made for this table",
        normal(x=lambda rng: np.array([-1.0, 0.5, 1.0, 2.0])),
        lambda x: torch.sqrt(x),
        lambda x: jnp.sqrt(x),
        lambda x: jnp.sqrt(jnp.maximum(x, 0)),
        wrt=(),
    ),
    Fault(
        "sum: its sign lost",
        "signed sums in published suites",
        ROWS,
        lambda x: x - x.mean(0),
        lambda x: x - x.mean(0),
        lambda x: x.mean(0) - x,
    ),
    Fault(
        "batch: rows in another order",
        "the difference of means in published suites",
        ROWS,
        lambda x: torch.tanh(x),
        lambda x: jnp.tanh(x),
        lambda x: jnp.tanh(x)[::-1],
    ),
)
