"""Activations in JAX under the names of the catalogue: what a port may have left out."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "gelu (erf)": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu (tanh)": lambda x: jax.nn.gelu(x, approximate=True),
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softmax over the last axis": jax.nn.softmax,
    "log_softmax over the last axis": jax.nn.log_softmax,
    "exp": jnp.exp,
}
