"""Faults of precision: the formula is right, and less is kept on the way than the working dtype holds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from torch.nn import functional as F

from proof.faults.adam import ADAM, adam
from proof.faults.fault import Fault, normal
from proof.faults.steps import STEPS
from proof.faults.values import LOG_SUM_EXP

PRODUCT = normal(x=(6, 32), w=(32, 5))
ROWS = normal(x=(6, 32), scale=(32,), bias=(32,))
BIG = normal(ids=lambda rng: rng.integers(100_000, 1_000_000, size=16))


def like_tf32(x):
    """What TF32 reads of an operand: 10 bits after the leading one; the hardware does so to float32 alone."""
    return x if x.dtype == jnp.float64 else lax.reduce_precision(x, exponent_bits=8, mantissa_bits=10)


def low(x):
    return x.astype(jnp.bfloat16)


def layer_norm(x, scale, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt(jnp.mean(centred * centred, -1, keepdims=True) + 1e-5) * scale + bias


def conv(x, w):
    return lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))


def optax_adam(**options):
    optimizer = optax.adam(0.1, **options)

    def function(p, gradients):
        state = optimizer.init(p)
        for gradient in gradients:
            updates, state = optimizer.update(gradient, state, p)
            p = p + updates
        return {"p": p, "exp_avg": state[0].mu.astype(p.dtype), "exp_avg_sq": state[0].nu}

    return function


def fault(name, seen, inputs, torch_function, honest, faulty, **options):
    return Fault(name, seen, inputs, torch_function, honest, faulty, verdict="PRECISION", **options)


FAULTS = (
    fault(
        "matmul: TF32",
        "jax#12008",
        PRODUCT,
        lambda x, w: x @ w,
        lambda x, w: x @ w,
        lambda x, w: like_tf32(x) @ like_tf32(w),
    ),
    fault(
        "convolution: TF32",
        "jax#14022",
        normal(x=(1, 3, 6, 6), w=(2, 3, 3, 3)),
        lambda x, w: F.conv2d(x, w),
        conv,
        lambda x, w: conv(like_tf32(x), like_tf32(w)),
    ),
    fault(
        "matmul: operands in bfloat16",
        "jax#14022, openpi PR#989",
        PRODUCT,
        lambda x, w: x @ w,
        lambda x, w: x @ w,
        lambda x, w: (low(x) @ low(w)).astype(x.dtype),
    ),
    fault(
        "sum: accumulated in bfloat16",
        "openpi PR#989",
        normal(x=(4, 64)),
        lambda x: x.square().sum(-1),
        lambda x: jnp.sum(x * x, -1),
        lambda x: jnp.sum(x * x, -1, dtype=jnp.bfloat16).astype(x.dtype),
    ),
    fault(
        "softmax: in bfloat16",
        "openpi#738",
        normal(x=(6, 16)),
        lambda x: F.softmax(x, -1),
        jax.nn.softmax,
        lambda x: jax.nn.softmax(low(x)).astype(x.dtype),
    ),
    fault(
        "layer norm: in bfloat16",
        "openpi#738",
        ROWS,
        lambda x, scale, bias: F.layer_norm(x, (32,), scale, bias),
        layer_norm,
        lambda x, scale, bias: layer_norm(low(x), low(scale), low(bias)).astype(x.dtype),
    ),
    fault(
        "log of a sum of exponentials: float32 overflows",
        "made for this table",
        normal(x=lambda rng: 100 + rng.standard_normal((4, 6))),
        *LOG_SUM_EXP,
    ),
    fault(
        "Adam: first moment in bfloat16",
        "optax's mu_dtype; openpi#738 of policies",
        STEPS,
        ADAM,
        adam(),
        optax_adam(mu_dtype=jnp.bfloat16),
        stage="update",
    ),
    fault(
        "Adam: bias correction in float32",
        "optax, measured: 1 - decay**count is 4.7e-5 off",
        normal(p=lambda rng: 1e-3 * rng.standard_normal(6), gradients=(1, 6)),
        ADAM,
        adam(),
        optax_adam(),
        stage="update",
    ),
    fault(
        "hash: int64 silently int32",
        "jax without x64, measured",
        BIG,
        lambda ids: ids * 7919 % 1009,
        lambda ids: ids % 1009 * 7919 % 1009,
        lambda ids: ids * 7919 % 1009,
    ),
    fault(
        "float64 program: a product in float32",
        "flax NNX attention, measured",
        PRODUCT,
        lambda x, w: x @ w,
        lambda x, w: x @ w,
        lambda x, w: (x.astype(jnp.float32) @ w.astype(jnp.float32)).astype(x.dtype),
        dtype="float64",
    ),
    fault(
        "float64 program: a constant rounded to float32",
        "transformers' rotary tables, measured",
        normal(x=(6, 8)),
        lambda x: x * 0.1,
        lambda x: x * 0.1,
        lambda x: x * np.float32(0.1),
        dtype="float64",
    ),
)
