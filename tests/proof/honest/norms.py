"""Normalisation: by the library on one side, by moments or by two passes on the other."""

import jax
import jax.numpy as jnp
import torch
from torch.nn import functional as F

from proof.honest.entry import SHORT, Honest, capped, matrix, rows

ONE_IMAGE = "torch refuses to normalise one value a channel: it has no spread"


def _scaled_rows(rng, size):
    shape = rows(size)
    return {"x": rng.normal(size=shape), "w": rng.normal(size=shape[1:]), "b": rng.normal(size=shape[1:])}


def _centred_rows(rng, size):
    """Rows whose mean is small beside their spread, so that moments serve as well as two passes."""
    return _scaled_rows(rng, size)


def _channels(rng, size):
    """Images of 4 channels: (N, 4, edge, edge), N at most 2."""
    n = 1 if size == 1 else 2
    edge = max(1, round((size / 4 / n) ** 0.5))
    return {"x": rng.normal(size=(n, 4, edge, edge)) + 0.1, "w": rng.normal(size=4), "b": rng.normal(size=4)}


def _statistics(rng, size):
    given = _channels(rng, size)
    return {**given, "mean": rng.normal(size=4), "variance": rng.uniform(0.5, 2, size=4)}


def _layer_norm(x, w, b):
    centred = x - jnp.mean(x, -1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), -1, keepdims=True) + 1e-5) * w + b


def _layer_norm_by_moments(x, w, b):
    mean = jnp.mean(x, -1, keepdims=True)
    variance = jnp.mean(x * x, -1, keepdims=True) - mean * mean
    return (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * w) + b


def _rms_norm(x, w):
    return x / jnp.sqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * w


def _group_norm(x, w, b):
    grouped = x.reshape(len(x), 2, -1)
    mean, variance = grouped.mean(-1, keepdims=True), grouped.var(-1, keepdims=True)
    normal = ((grouped - mean) / jnp.sqrt(variance + 1e-5)).reshape(x.shape)
    return normal * w[:, None, None] + b[:, None, None]


def _batch_norm(x, w, b, mean, variance):
    now, spread = x.mean((0, 2, 3)), x.var((0, 2, 3))
    y = (x - now[:, None, None]) * (w / jnp.sqrt(spread + 1e-5))[:, None, None] + b[:, None, None]
    kept, count = jax.lax.stop_gradient((now, spread)), x.size // 4
    return y, 0.9 * mean + 0.1 * kept[0], 0.9 * variance + 0.1 * kept[1] * count / (count - 1)


def _torch_batch_norm(x, w, b, mean, variance):
    mean, variance = mean.detach().clone(), variance.detach().clone()
    return F.batch_norm(x, mean, variance, w, b, training=True), mean, variance


def _batch_norm_at_rest(x, w, b, mean, variance):
    scale = w * jax.lax.rsqrt(variance + 1e-5)
    return x * scale[:, None, None] + (b - mean * scale)[:, None, None]


def _weight_norm(v, g):
    return v * (g / jnp.sqrt(jnp.sum(v * v, 1)))[:, None]


def _softmax(x):
    powers = jnp.exp(x)
    return powers / jnp.sum(powers, -1, keepdims=True)


NORMS = capped(
    (
        Honest("layer norm", lambda x, w, b: F.layer_norm(x, x.shape[1:], w, b), _layer_norm, _scaled_rows),
        Honest(
            "layer norm by moments",
            lambda x, w, b: F.layer_norm(x, x.shape[1:], w, b),
            _layer_norm_by_moments,
            _centred_rows,
            without={
                1: "one element is its own mean, far from 0 beside its spread of 0: moments amplify rounding there"
            },
        ),
        Honest(
            "rms norm",
            lambda x, w: F.rms_norm(x, x.shape[1:], w, 1e-6),
            _rms_norm,
            lambda rng, size: {"x": rng.normal(size=rows(size)), "w": rng.normal(size=rows(size)[1])},
        ),
        Honest("group norm", lambda x, w, b: F.group_norm(x, 2, w, b), _group_norm, _channels),
        Honest("batch norm", _torch_batch_norm, _batch_norm, _statistics, wrt=("x", "w", "b"), without={1: ONE_IMAGE}),
        Honest(
            "batch norm at rest",
            lambda x, w, b, mean, variance: F.batch_norm(x, mean, variance, w, b),
            _batch_norm_at_rest,
            _statistics,
            wrt=("x", "w", "b"),
        ),
        Honest(
            "weight norm",
            lambda v, g: torch._weight_norm(v, g[:, None], 0),
            _weight_norm,
            lambda rng, size: {"v": rng.normal(size=rows(size)), "g": rng.uniform(0.5, 2, size=rows(size)[0])},
        ),
        Honest(
            "unit rows",
            lambda x: F.normalize(x, dim=-1),
            lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True),
            matrix,
        ),
        Honest("softmax", lambda x: F.softmax(x, -1), _softmax, matrix),
        Honest(
            "log softmax", lambda x: F.log_softmax(x, -1), lambda x: x - jax.nn.logsumexp(x, -1, keepdims=True), matrix
        ),
    ),
    SHORT,
    whole=(
        "layer norm",
        "layer norm by moments",
        "rms norm",
        "softmax",
        "batch norm",
    ),
)
