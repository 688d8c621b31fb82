"""What a recurrent cell does with the sums that reach its gates: shared by the cells and by the scans over time."""

import jax
import jax.numpy as jnp
from jax import Array

ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}


def affine(x: Array, weight: Array, bias: Array | None) -> Array:
    """x W^T + b."""
    y = x @ weight.T
    return y if bias is None else y + bias


def lstm(gates: Array, cell: Array) -> tuple[Array, Array]:
    """Gates (*, 4H) in torch's order, input, forget, cell, output; the cell's state (*, H) -> the next (h, c)."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(cell), cell


def gru(own: Array, past: Array, hidden: Array) -> Array:
    """Sums from the input and from the past (*, 3H) in torch's order, reset, update, new -> the next h."""
    (r_i, z_i, n_i), (r_h, z_h, n_h) = (jnp.split(sums, 3, axis=-1) for sums in (own, past))
    r, z = jax.nn.sigmoid(r_i + r_h), jax.nn.sigmoid(z_i + z_h)
    n = jnp.tanh(n_i + r * n_h)
    return n + z * (hidden - n)
