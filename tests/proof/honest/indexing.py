"""Looking up, scattering, sorting and choosing: exact where values move, tied where they compare."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F

from proof.honest.entry import SHORT, Honest, capped, matrix, rows, vector


def _table(rng, size):
    """A table of about size / 8 rows of 8, and twice as many look-ups as it has rows."""
    width = 8 if size > 1 else 1
    count = max(1, size // width)
    return {"w": rng.normal(size=(count, width)), "i": rng.integers(0, count, size=2 * count)}


def _columns(rng, size):
    shape = rows(size)
    return {"x": rng.normal(size=shape), "i": rng.integers(0, shape[1], size=shape)}


def _buckets(rng, size):
    """Values and ten buckets to add them up in: long sums in any order."""
    return {"x": rng.normal(size=size), "i": rng.integers(0, 10, size=size)}


def _masked(rng, size):
    shape = rows(size)
    mask = rng.random(shape) < 0.7
    mask[:, 0] = True
    return {"x": rng.normal(size=shape), "mask": mask}


def _edges(rng, size):
    return {"x": rng.normal(size=size), "e": np.linspace(-2, 2, 17)}


def _torch_segments(x, i):
    return torch.zeros(10, dtype=x.dtype).index_add(0, i, x)


def _masked_softmax(x, mask):
    powers = jnp.where(mask, jnp.exp(x - jax.lax.stop_gradient(x.max(-1, keepdims=True))), 0)
    return powers / powers.sum(-1, keepdims=True)


def _k(x):
    return min(5, x.shape[-1])


# Sorts are stable: where values tie, as they do at bfloat16, it settles which of them has the gradient.
INDEXING = capped(
    (
        Honest("embedding", lambda w, i: F.embedding(i, w), lambda w, i: jnp.take(w, i, axis=0), _table),
        Honest(
            "gather",
            lambda x, i: x.gather(1, i),
            lambda x, i: jax.vmap(lambda row, at: row[at])(x, i),
            _columns,
        ),
        Honest("scatter add", _torch_segments, lambda x, i: jnp.zeros(10, x.dtype).at[i].add(x), _buckets),
        Honest("sort", lambda x: torch.sort(x, stable=True).values, lambda x: jnp.sort(x), vector),
        Honest(
            "top values",
            lambda x: torch.sort(x, descending=True, stable=True).values[..., : _k(x)],
            lambda x: jax.lax.top_k(x, _k(x))[0],
            matrix,
        ),
        Honest("order", lambda x: torch.argsort(x, stable=True), lambda x: jnp.argsort(x), vector, wrt=()),
        Honest(
            "largest and where",
            lambda x: (x.argmax(-1), x.amax(-1)),
            lambda x: (jnp.argmax(x, -1), jnp.max(x, -1)),
            matrix,
        ),
        Honest("buckets", lambda x, e: torch.bucketize(x, e), lambda x, e: jnp.searchsorted(e, x), _edges, wrt=()),
        Honest(
            "median",
            lambda x: torch.sort(x, stable=True).values[..., x.shape[-1] // 2],
            lambda x: jnp.sort(x, -1)[..., x.shape[-1] // 2],
            matrix,
        ),
        Honest(
            "masked softmax",
            lambda x, mask: F.softmax(x.masked_fill(~mask, -torch.inf), -1),
            _masked_softmax,
            _masked,
        ),
        Honest(
            "roll, flip and join",
            lambda x: torch.cat([x.roll(1, -1), x.flip(-1)], 0) * 3,
            lambda x: 3 * jnp.concatenate([jnp.roll(x, 1, -1), x[:, ::-1]], 0),
            matrix,
        ),
    ),
    SHORT,
    whole=(
        "embedding",
        "scatter add",
        "sort",
        "order",
    ),
)
