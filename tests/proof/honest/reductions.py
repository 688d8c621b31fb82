"""Sums, norms, moments and running sums, over as many as a million terms."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F

from proof.honest.entry import (
    ONE_VALUE,
    Honest,
    between,
    matrix,
    side_length,
    two_matrices,
    two_vectors,
    vector,
)


def _near_one(rng, size):
    """Factors whose product neither vanishes nor overflows."""
    return {"x": np.exp(rng.normal(size=size) / max(1.0, size**0.5))}


def _short_products(rng, size):
    """Rows of at most 100 such factors."""
    return {"x": np.exp(rng.normal(size=(max(1, size // 100), min(size, 100))) / 10)}


def _points(rng, size):
    count = side_length(size, most=100)
    return {"x": rng.normal(size=(count, 16)), "y": rng.normal(size=(count + 1, 16))}


def _log_sum_exp(x):
    largest = jax.lax.stop_gradient(jnp.max(x, axis=-1, keepdims=True))
    return jnp.log(jnp.sum(jnp.exp(x - largest), axis=-1)) + largest[..., 0]


def _cosine(x, y):
    return jnp.sum(x * y, -1) / (jnp.linalg.norm(x, axis=-1) * jnp.linalg.norm(y, axis=-1))


def _distances(x, y):
    return jnp.sqrt(jnp.sum((x[:, None] - y[None]) ** 2, -1))


REDUCTIONS = (
    Honest("sum", lambda x: x.sum(), lambda x: jnp.sum(x), vector),
    Honest("mean", lambda x: x.mean(), lambda x: jnp.sum(x) / x.size, between(0, 1)),
    Honest("sum of rows", lambda x: x.sum(1), lambda x: jnp.einsum("ij->i", x), matrix),
    Honest("sum of columns", lambda x: x.sum(0), lambda x: jnp.ones(x.shape[0], x.dtype) @ x, matrix),
    Honest(
        "variance by moments",
        lambda x: torch.var(x, -1, correction=0),
        lambda x: jnp.mean(x * x, -1) - jnp.mean(x, -1) ** 2,
        matrix,
        without={1: ONE_VALUE},
    ),
    Honest(
        "standard deviation",
        lambda x: torch.std(x, -1),
        lambda x: jnp.std(x, -1, ddof=1),
        matrix,
        without={1: ONE_VALUE},
    ),
    Honest("covariance", lambda x: torch.cov(x), lambda x: jnp.cov(x), matrix, without={1: ONE_VALUE}),
    Honest("logsumexp", lambda x: torch.logsumexp(x, -1), _log_sum_exp, matrix),
    Honest("norm", torch.linalg.vector_norm, lambda x: jnp.sqrt(jnp.sum(x * x)), vector),
    Honest(
        "norm of order 3",
        lambda x: torch.linalg.vector_norm(x, ord=3),
        lambda x: jnp.sum(jnp.abs(x) ** 3) ** (1 / 3),
        vector,
    ),
    Honest("dot", lambda x, y: torch.dot(x, y), lambda x, y: jnp.einsum("i,i->", x, y), two_vectors),
    Honest("product", lambda x: x.prod(), lambda x: jnp.exp(jnp.sum(jnp.log(x))), _near_one),
    Honest("cumsum", lambda x: torch.cumsum(x, -1), lambda x: jnp.cumsum(x, axis=-1), matrix),
    Honest("cumprod", lambda x: torch.cumprod(x, -1), lambda x: jnp.cumprod(x, axis=-1), _short_products),
    Honest("cosine similarity", lambda x, y: F.cosine_similarity(x, y, dim=-1), _cosine, two_matrices),
    Honest(
        "distances",
        lambda x, y: torch.cdist(x, y),
        _distances,
        _points,
        without={"bfloat16": "torch has no bfloat16 kernel for cdist on the CPU"},
        scaled="at most 100 x 101 points: every pair has a distance of 16 terms",
    ),
)
