"""Made-up readings of honest rounding, from which a test departs in one thing."""

import numpy as np

from parity.numerics import Reading, judge

U64, U32 = 2.0**-53, 2.0**-24
X = np.linspace(0.5, 2.0, 1001)


def noise(scale, seed):
    return X * (1 + scale * np.random.default_rng(seed).uniform(-1, 1, X.shape))


def reading(torch64=X, jax64=X, torch=None, jax=None, **options):
    torch = noise(U32, 1) if torch is None else torch
    jax = noise(U32, 2) if jax is None else jax
    return Reading(torch64, jax64, torch, jax, "float32", **options)


def verdict(made):
    return judge(made, stage="forward", torch_path="y", jax_path="y")
