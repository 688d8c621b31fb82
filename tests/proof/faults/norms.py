"""Faults of normalisation: epsilon, statistics, momentum, axes."""

import jax.numpy as jnp
import torch
from jax import lax
from torch.nn import functional as F

from proof.faults.fault import Fault, normal

ROWS = normal(x=(6, 16), scale=(16,), bias=(16,))
IMAGES = normal(
    x=(4, 6, 3, 3),
    scale=(6,),
    bias=(6,),
    mean=(6,),
    var=lambda rng: rng.uniform(0.5, 2.0, size=6),
)

WEIGHTS = ("x", "scale", "bias")  # torch does not differentiate running statistics


def layer_norm(epsilon, axis=-1):
    def function(x, scale, bias):
        centred = x - x.mean(axis, keepdims=True)
        return centred * lax.rsqrt(jnp.mean(centred * centred, axis, keepdims=True) + epsilon) * scale + bias

    return function


def layer_norm_outside(x, scale, bias):
    return (x - x.mean(-1, keepdims=True)) / (jnp.std(x, -1, keepdims=True) + 1e-5) * scale + bias


def rms_norm(epsilon):
    return lambda x, scale: x * lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + epsilon) * scale


def group_norm(epsilon, interleaved=False):
    def function(x, scale, bias):
        n, c, h, w = x.shape
        grouped = x.reshape(n, c // 2, 2, h, w).swapaxes(1, 2) if interleaved else x.reshape(n, 2, c // 2, h, w)
        mean = grouped.mean((2, 3, 4), keepdims=True)
        variance = grouped.var((2, 3, 4), keepdims=True)
        normed = (grouped - mean) * lax.rsqrt(variance + epsilon)
        normed = (normed.swapaxes(1, 2) if interleaved else normed).reshape(x.shape)
        return normed * scale[:, None, None] + bias[:, None, None]

    return function


def batch_norm_train(momentum=0.9, ddof=1, stop=lax.stop_gradient):
    def function(x, scale, bias, mean, var):
        axes = (0, 2, 3)
        now, spread = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        y = (x - now) * lax.rsqrt(spread + 1e-5) * scale[:, None, None] + bias[:, None, None]
        seen = stop(x)
        kept = momentum * mean + (1 - momentum) * seen.mean(axes)
        return {"y": y, "mean": kept, "var": momentum * var + (1 - momentum) * seen.var(axes, ddof=ddof)}

    return function


def torch_batch_norm_train(x, scale, bias, mean, var):
    mean, var = mean.clone(), var.clone()
    y = F.batch_norm(x, mean, var, scale, bias, training=True, momentum=0.1)
    return {"y": y, "mean": mean, "var": var}


def batch_norm(epsilon=1e-5, polluted=False):
    def function(x, scale, bias, mean, var):
        if polluted:  # by one update on the batch of zeros that initialised the module
            mean, var = 0.99 * mean, 0.99 * var
        y = (x - mean[:, None, None]) * lax.rsqrt(var + epsilon)[:, None, None]
        return y * scale[:, None, None] + bias[:, None, None]

    return function


def torch_batch_norm(x, scale, bias, mean, var):
    return F.batch_norm(x, mean, var, scale, bias, training=False)


def torch_layer_norm(x, scale, bias):
    return F.layer_norm(x, (16,), scale, bias, 1e-5)


def torch_group_norm(x, scale, bias):
    return F.group_norm(x, 2, scale, bias, 1e-5)


FAULTS = (
    Fault(
        "layer norm: epsilon 1e-6",
        "flax#2195, goodfire-ai/spd#625",
        ROWS,
        torch_layer_norm,
        layer_norm(1e-5),
        layer_norm(1e-6),
    ),
    Fault(
        "layer norm: epsilon 1.001e-5",
        "made for this table: float32 cannot show it",
        ROWS,
        torch_layer_norm,
        layer_norm(1e-5),
        layer_norm(1.001e-5),
    ),
    Fault(
        "layer norm: 12 features given as epsilon",
        "flax#2195: linen's LayerNorm(12)",
        ROWS,
        torch_layer_norm,
        layer_norm(1e-5),
        layer_norm(12.0),
    ),
    Fault(
        "layer norm: epsilon outside the root",
        "optax#532, in RMSprop",
        ROWS,
        torch_layer_norm,
        layer_norm(1e-5),
        layer_norm_outside,
    ),
    Fault(
        "layer norm: over the batch",
        "Flax's guide: axes of another layout",
        normal(x=(16, 16), scale=(16,), bias=(16,)),
        torch_layer_norm,
        layer_norm(1e-5),
        layer_norm(1e-5, axis=0),
    ),
    Fault(
        "RMS norm: epsilon 1e-5 for 1e-6",
        "goodfire-ai/spd#625",
        normal(x=(6, 16), scale=(16,)),
        lambda x, scale: F.rms_norm(x, (16,), scale, 1e-6),
        rms_norm(1e-6),
        rms_norm(1e-5),
    ),
    Fault(
        "group norm: epsilon 1e-6",
        "flax#2195",
        normal(x=(2, 6, 3, 3), scale=(6,), bias=(6,)),
        torch_group_norm,
        group_norm(1e-5),
        group_norm(1e-6),
    ),
    Fault(
        "group norm: groups interleaved",
        "Flax's guide: channels of another layout",
        normal(x=(2, 6, 3, 3), scale=(6,), bias=(6,)),
        torch_group_norm,
        group_norm(1e-5),
        group_norm(1e-5, interleaved=True),
    ),
    Fault(
        "batch norm: momentum is the complement",
        "Flax's torch guide, scvi-tools PR#2309",
        IMAGES,
        torch_batch_norm_train,
        batch_norm_train(),
        batch_norm_train(momentum=0.1),
        wrt=WEIGHTS,
    ),
    Fault(
        "batch norm: running variance biased",
        "pytorch#19902, mlx PR#3817, tinygrad PR#807",
        IMAGES,
        torch_batch_norm_train,
        batch_norm_train(),
        batch_norm_train(ddof=0),
        wrt=WEIGHTS,
    ),
    Fault(
        "batch norm: gradient through the running statistics",
        "transformers' Flax ports: a buffer is no parameter",
        IMAGES,
        torch_batch_norm_train,
        batch_norm_train(),
        batch_norm_train(stop=lambda x: x),
        stage="gradient",
        wrt=WEIGHTS,
    ),
    Fault(
        "batch norm: epsilon 1e-3",
        "scvi-tools PR#2309",
        IMAGES,
        torch_batch_norm,
        batch_norm(),
        batch_norm(1e-3),
        wrt=WEIGHTS,
    ),
    Fault(
        "batch norm: statistics polluted by the first batch",
        "AlgoPerf PR#231",
        IMAGES,
        torch_batch_norm,
        batch_norm(),
        batch_norm(polluted=True),
        wrt=WEIGHTS,
    ),
    Fault(
        "standard deviation: ddof 0",
        "pytorch#50010",
        normal(x=(6, 16)),
        lambda x: torch.std(x, -1),
        lambda x: jnp.std(x, -1, ddof=1),
        lambda x: jnp.std(x, -1),
    ),
    Fault(
        "variance: ddof 0",
        "pytorch#50010",
        normal(x=(6, 16)),
        lambda x: torch.var(x, 0),
        lambda x: jnp.var(x, 0, ddof=1),
        lambda x: jnp.var(x, 0),
    ),
)
