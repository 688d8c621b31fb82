"""Functions of one number at a time: activations, special functions, powers, choices."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F

from proof.honest.entry import Honest, between, two_between, two_vectors, vector


def _elu(x):
    return jnp.where(x > 0, x, jnp.expm1(jnp.where(x > 0, 0.0, x)))


def _piecewise(x):
    """What torch.where and torch.clamp say, in one go and away from kinks that bfloat16 can hit."""
    return torch.where(x > 0.1003, x * x, torch.clamp(x, min=-0.7003)) + x.abs()


def _piecewise_select(x):
    return jax.lax.select(x > 0.1003, jnp.square(x), jnp.maximum(x, jnp.asarray(-0.7003, x.dtype))) + jnp.sign(x) * x


# digamma has no gradient here: the two float64 trigammas part by 5e-10, and that is told.
ELEMENTWISE = (
    Honest(
        "gelu",
        F.gelu,
        lambda input: 0.5 * input * (1 + jax.lax.erf(input / np.sqrt(2).item())),
        lambda r, n: {"input": r.normal(size=n)},
    ),
    Honest("gelu by erfc", lambda x: F.gelu(x), lambda x: jax.nn.gelu(x, approximate=False), vector),
    Honest("gelu by tanh", lambda x: F.gelu(x, approximate="tanh"), jax.nn.gelu, vector),
    Honest("silu", lambda x: F.silu(x), lambda x: x / (1 + jnp.exp(-x)), vector),
    Honest("mish", lambda x: F.mish(x), lambda x: x * jnp.tanh(jnp.log1p(jnp.exp(x))), vector),
    Honest("elu", lambda x: F.elu(x), _elu, vector),
    Honest("softplus", lambda x: F.softplus(x), lambda x: jnp.logaddexp(x, 0.0), vector),
    Honest("logsigmoid", lambda x: F.logsigmoid(x), lambda x: -jnp.log1p(jnp.exp(-x)), vector),
    Honest(
        "sigmoid",
        torch.sigmoid,
        lambda input: 1 / (1 + jnp.exp(-input)),
        # Further left e^-x (1 + e^-x)^-2, which JAX multiplies from the right, underflows on the way at float32.
        # Right of 6.9, where 1 - y < 2^-10, torch's slope y (1 - y) loses ten bits, and the rule says so of torch.
        lambda r, n: {"input": r.uniform(-30, 6.9, size=n)},
    ),
    # Left of -3 the sum cancels, as the difference does below 0.5, and the rule says that JAX's side amplifies
    # rounding there: test_honest.py has both.
    Honest("sigmoid by tanh", lambda x: torch.sigmoid(x), lambda x: 0.5 * (jnp.tanh(x / 2) + 1), between(-3, 3)),
    Honest("tanh", lambda x: x.tanh(), lambda x: 2 * jax.nn.sigmoid(2 * x) - 1, between(0.5, 3)),
    Honest(
        "hardswish",
        lambda x: F.hardswish(x),
        lambda x: x * jnp.clip(x + 3, 0, 6) / 6,
        vector,
        conventions={"gradient/x": "at -3 and 3, which bfloat16 hits, torch takes one slope and clip the mean"},
    ),
    Honest("leaky relu", lambda x: F.leaky_relu(x, 0.01), lambda x: jnp.maximum(x, 0.01 * x), vector),
    Honest(
        "prelu",
        lambda x, a: F.prelu(x, a),
        lambda x, a: jnp.where(x > 0, x, a * x),
        lambda r, n: {"x": r.normal(size=n), "a": np.array([0.21])},
    ),
    Honest("erf", lambda x: torch.erf(x), jax.scipy.special.erf, vector),
    Honest("erfinv", lambda x: torch.erfinv(x), jax.scipy.special.erfinv, between(-0.9, 0.9)),
    Honest("lgamma", lambda x: torch.lgamma(x), jax.scipy.special.gammaln, between(0.5, 20)),
    Honest("digamma", lambda x: torch.digamma(x), jax.scipy.special.digamma, between(0.5, 20), wrt=()),
    Honest(
        "log1p of expm1", lambda x: torch.log1p(torch.expm1(x)), lambda x: jnp.log1p(jnp.expm1(x)), between(0.01, 3)
    ),
    Honest("power", lambda x, y: torch.pow(x, y), lambda x, y: jnp.exp(y * jnp.log(x)), two_between(0.2, 4)),
    Honest("polynomial", lambda x: 1 + x + x**2 / 2 + x**3 / 6, lambda x: 1 + x * (1 + x * (0.5 + x / 6)), vector),
    Honest(
        "trigonometry",
        lambda x: torch.sin(x) * torch.cos(2 * x),
        lambda x: jnp.sin(x) * (1 - 2 * jnp.sin(x) ** 2),
        vector,
    ),
    Honest("sine of large angles", lambda x: torch.sin(x), lambda x: jnp.sin(x), between(-100, 100)),
    Honest(
        "arctangents",
        lambda x, y: torch.atan2(x, y) + torch.atan(x),
        lambda x, y: jnp.arctan2(x, y) + jnp.arctan(x),
        two_vectors,
    ),
    Honest("hypot", lambda x, y: torch.hypot(x, y), lambda x, y: jnp.sqrt(x * x + y * y), two_vectors),
    Honest("reciprocal root", lambda x: torch.rsqrt(x), lambda x: 1 / jnp.sqrt(x), between(0.1, 10)),
    Honest("logit", lambda x: torch.logit(x), lambda x: jax.scipy.special.logit(x), between(0.05, 0.95)),
    Honest("piecewise", _piecewise, _piecewise_select, vector),
    Honest(
        "floor and remainder",
        lambda x: (torch.floor(x), x - torch.floor(x)),
        lambda x: (jnp.floor(x), jnp.mod(x, 1.0)),
        between(0, 50),
    ),
)
