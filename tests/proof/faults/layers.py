"""Faults of layers: activations, dense weights, dropout, embeddings, how weights are drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import lax
from torch.nn import functional as F

from proof.faults.fault import Fault, normal

SQUARE = normal(x=(5, 8), w=(8, 8), b=(8,))


def two_layers(x, w1, w2):
    return jnp.tanh(x @ w1) @ w2


def truncated(relative):
    """Normal numbers of mean 1 and deviation 2 between -2 and 2, or within two deviations of the mean, from u."""

    def function(u):
        low, high = (-2.0, 2.0) if relative else ((-2.0 - 1.0) / 2.0, (2.0 - 1.0) / 2.0)
        return 1.0 + 2.0 * jax.scipy.special.ndtri(_between(jax.scipy.special.ndtr, low, high, u))

    return function


def _between(cdf, low, high, u):
    return cdf(low) + u * (cdf(high) - cdf(low))


def torch_truncated(u):
    share = [torch.special.ndtr(torch.tensor(v, dtype=u.dtype)) for v in (-1.5, 0.5)]
    return 1.0 + 2.0 * torch.special.ndtri(share[0] + u * (share[1] - share[0]))


FAULTS = (
    Fault(
        "GELU: tanh for erf",
        "litgpt PR#1004, tinygrad PR#16162, coremltools PR#2863",
        normal(x=(6, 16)),
        lambda x: F.gelu(x),
        lambda x: jax.nn.gelu(x, approximate=False),
        lambda x: jax.nn.gelu(x),
    ),
    Fault(
        "softplus: without torch's threshold",
        "torch.nn against flax, measured",
        normal(x=lambda rng: rng.uniform(20.0, 22.0, size=(4, 8))),
        lambda x: F.softplus(x),
        lambda x: jnp.where(x > 20, x, jnp.log1p(jnp.exp(x))),
        lambda x: jax.nn.softplus(x),
    ),
    Fault(
        "dense: square kernel transposed",
        "Flax's guide, transformers' rename_key_and_reshape_tensor",
        SQUARE,
        lambda x, w, b: F.linear(x, w, b),
        lambda x, w, b: x @ w.T + b,
        lambda x, w, b: x @ w + b,
    ),
    Fault(
        "dense: bias left out",
        "flax#5594, in a GRU",
        SQUARE,
        lambda x, w, b: F.linear(x, w, b),
        lambda x, w, b: x @ w.T + b,
        lambda x, w, b: x @ w.T,
    ),
    Fault(
        "two dense layers: equal siblings swapped",
        "statedict2pytree",
        normal(x=(5, 8), w1=(8, 8), w2=(8, 8)),
        lambda x, w1, w2: torch.tanh(x @ w1) @ w2,
        two_layers,
        lambda x, w1, w2: two_layers(x, w2, w1),
    ),
    Fault(
        "dropout: kept values not scaled",
        "AlgoPerf PR#884",
        normal(x=(6, 8), keep=lambda rng: rng.random((6, 8)) < 0.7),
        lambda x, keep: x * keep / 0.7,
        lambda x, keep: jnp.where(keep, x / 0.7, 0),
        lambda x, keep: jnp.where(keep, x, 0),
    ),
    Fault(
        "dropout: after the residual sum",
        "AlgoPerf PR#886",
        normal(x=(6, 8), w=(8, 8), keep=lambda rng: rng.random((6, 8)) < 0.7),
        lambda x, w, keep: x + (x @ w) * keep / 0.7,
        lambda x, w, keep: x + jnp.where(keep, x @ w / 0.7, 0),
        lambda x, w, keep: jnp.where(keep, (x + x @ w) / 0.7, 0),
    ),
    Fault(
        "dropout: one mask for two layers",
        "AlgoPerf PR#886",
        normal(x=(6, 8), w=(8, 8), keep=lambda rng: rng.random((2, 6, 8)) < 0.7),
        lambda x, w, keep: ((x * keep[0]) @ w) * keep[1],
        lambda x, w, keep: ((x * keep[0]) @ w) * keep[1],
        lambda x, w, keep: ((x * keep[0]) @ w) * keep[0],
    ),
    Fault(
        "embedding: gradient of the padding row",
        "torch.nn against flax, measured",
        normal(w=(6, 4), ids=lambda rng: np.array([[0, 1, 5], [2, 0, 0]])),
        lambda w, ids: F.embedding(ids, w, padding_idx=0),
        lambda w, ids: w.at[0].set(lax.stop_gradient(w[0]))[ids],
        lambda w, ids: w[ids],
        stage="gradient",
    ),
    Fault(
        "embedding: indices from 1, the last one clamped",
        "jax: out of range, measured",
        normal(w=(6, 4), ids=lambda rng: np.array([1, 3, 6, 2])),
        lambda w, ids: F.embedding(ids - 1, w),
        lambda w, ids: w[ids - 1],
        lambda w, ids: w[ids],
    ),
    Fault(
        "embedding: index out of range filled with NaN",
        "jax.numpy.take, measured",
        normal(w=(6, 4), ids=lambda rng: np.array([1, 3, 6, 2])),
        lambda w, ids: F.embedding(ids.clamp(max=5), w),
        lambda w, ids: jnp.take(w, jnp.minimum(ids, 5), axis=0),
        lambda w, ids: jnp.take(w, ids, axis=0),
    ),
    Fault(
        "truncated normal: bounds in units of the deviation",
        "jax#4862, flax#4091, AlgoPerf PR#819",
        normal(u=lambda rng: rng.uniform(0.05, 0.95, size=(4, 8))),
        torch_truncated,
        truncated(relative=False),
        truncated(relative=True),
    ),
)
