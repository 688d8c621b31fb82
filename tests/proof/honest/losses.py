"""Losses: torch.nn.functional beside optax and the formulas."""

import jax
import jax.numpy as jnp
import optax
import torch
from torch.nn import functional as F

from proof.honest.entry import SHORT, Honest, capped, rows, two_vectors


def _classes(rng, size):
    """Logits of ten classes and targets; one class where there is one element."""
    classes = 10 if size > 1 else 1
    count = size // classes
    return {"x": rng.normal(size=(count, classes)), "t": rng.integers(0, classes, size=count)}


def _two_distributions(rng, size):
    shape = rows(size)
    return {"x": rng.normal(size=shape), "y": rng.normal(size=shape)}


def _binary(rng, size):
    return {"x": rng.normal(size=size), "t": rng.integers(0, 2, size=size).astype(float)}


def _triplets(rng, size):
    shape = rows(size)
    return {name: rng.normal(size=shape) for name in ("a", "p", "n")}


def _positive(rng, size):
    return {"x": rng.normal(size=size), "y": rng.normal(size=size), "v": rng.uniform(0.5, 2, size=size)}


def _cross_entropy(x, t):
    return optax.softmax_cross_entropy_with_integer_labels(x, t).mean()


def _smoothed(x, t):
    targets = optax.smooth_labels(jax.nn.one_hot(t, x.shape[1], dtype=x.dtype), 0.1)
    return optax.softmax_cross_entropy(x, targets).mean()


def _divergence(x, y):
    log_p, log_q = jax.nn.log_softmax(y), jax.nn.log_softmax(x)
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q)) / len(x)


def _smooth_l1(x, y):
    # Not by optax's Huber loss, whose gradient cancels near 0: test_honest.py has that.
    e = jnp.abs(x - y)
    return jnp.mean(jnp.where(e < 0.7, e * e / 1.4, e - 0.35))


def _huber(x, y):
    e = jnp.abs(x - y)
    return jnp.mean(jnp.where(e < 1.3, 0.5 * e * e, 1.3 * (e - 0.65)))


def _triplet(a, p, n):
    def apart(u, v):
        return jnp.sqrt(jnp.sum((u - v + 1e-6) ** 2, -1))

    return jax.nn.relu(apart(a, p) - apart(a, n) + 1.0).mean()


def _cosine_loss(x, y):
    # torch adds 1e-12 to both squared norms.
    cosine = jnp.sum(x * y, -1) / jnp.sqrt((jnp.sum(x * x, -1) + 1e-12) * (jnp.sum(y * y, -1) + 1e-12))
    return jnp.mean(1 - cosine)


def _focal(x, t):
    log_p = jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], 1)[:, 0]
    return -jnp.mean((1 - jnp.exp(log_p)) ** 2 * log_p)


def _torch_focal(x, t):
    nll = F.cross_entropy(x, t, reduction="none")
    return ((1 - torch.exp(-nll)) ** 2 * nll).mean()


LOSSES = capped(
    (
        Honest(
            "mean squared error",
            lambda x, y: F.mse_loss(x, y),
            lambda x, y: 2 * optax.l2_loss(x, y).mean(),
            two_vectors,
        ),
        Honest("huber", lambda x, y: F.huber_loss(x, y, delta=1.3), _huber, two_vectors),
        Honest(
            "smooth l1",
            lambda x, y: F.smooth_l1_loss(x, y, beta=0.7),
            _smooth_l1,
            two_vectors,
        ),
        Honest("cross entropy", lambda x, t: F.cross_entropy(x, t), _cross_entropy, _classes),
        Honest("label smoothing", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), _smoothed, _classes),
        Honest("focal loss", _torch_focal, _focal, _classes),
        Honest(
            "binary cross entropy",
            lambda x, t: F.binary_cross_entropy_with_logits(x, t),
            lambda x, t: optax.sigmoid_binary_cross_entropy(x, t).mean(),
            _binary,
            wrt=("x",),
        ),
        Honest(
            "kullback-leibler",
            lambda x, y: F.kl_div(F.log_softmax(x, -1), F.softmax(y, -1), reduction="batchmean"),
            _divergence,
            _two_distributions,
        ),
        Honest(
            "gaussian likelihood",
            lambda x, y, v: F.gaussian_nll_loss(x, y, v),
            lambda x, y, v: 0.5 * jnp.mean(jnp.log(v) + (x - y) ** 2 / v),
            _positive,
        ),
        Honest("triplet margin", lambda a, p, n: F.triplet_margin_loss(a, p, n), _triplet, _triplets),
        Honest(
            "cosine distance",
            lambda x, y: F.cosine_embedding_loss(x, y, torch.ones(len(x), dtype=x.dtype)),
            _cosine_loss,
            _two_distributions,
            without={1: "the cosine of two single numbers is 1 or -1, and 1 - 1 cancels: nothing but rounding is left"},
        ),
    ),
    SHORT,
    whole=(
        "mean squared error",
        "cross entropy",
        "kullback-leibler",
    ),
)
