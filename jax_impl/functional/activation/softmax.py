"""Softmax and its kin: the activations that make one axis sum to 1."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.functional.arguments import axis_of

__all__ = ["softmax", "softmin", "log_softmax", "gumbel_softmax"]


def softmax(input: Float[Array, "*S"], dim: int | None = None, dtype: Any = None) -> Float[Array, "*S"]:
    """Probabilities from scores: exp(x_k) / sum_j exp(x_j) along one axis.

    Args:
        input: any shape, floating.
        dim: the axis that sums to 1. None, which torch deprecates, is the first of 0, 1 or 3 axes, else the second.
        dtype: to compute and return in; input's by default.

    Returns:
        Shaped as input; NaN where a whole row is minus infinity.

    Raises:
        IndexError: where there is no such axis.

    Examples:
        >>> softmax(array([0.0, 0.0]), 0).tolist()
        [0.5, 0.5]

    References:
        PyTorch, torch.nn.functional.softmax.
    """
    return _along("softmax", jax.nn.softmax, input, dim, dtype)


def softmin(input: Float[Array, "*S"], dim: int | None = None, dtype: Any = None) -> Float[Array, "*S"]:
    """softmax(-x).

    Args:
        input: any shape, floating.
        dim: as for softmax.
        dtype: as for softmax.

    Returns:
        Shaped as input.

    Raises:
        IndexError: where there is no such axis.

    Examples:
        >>> softmin(array([0.0, 1000.0]), 0).tolist()
        [1.0, 0.0]

    References:
        PyTorch, torch.nn.functional.softmin.
    """
    return _along("softmin", jax.nn.softmax, -input, dim, dtype)


def log_softmax(input: Float[Array, "*S"], dim: int | None = None, dtype: Any = None) -> Float[Array, "*S"]:
    """log(softmax(x)), for scores of any size.

    Args:
        input: any shape, floating.
        dim: as for softmax.
        dtype: as for softmax.

    Returns:
        Shaped as input, at most 0.

    Raises:
        IndexError: where there is no such axis.

    Examples:
        >>> log_softmax(array([1000.0, 0.0]), 0).tolist()
        [0.0, -1000.0]

    References:
        PyTorch, torch.nn.functional.log_softmax.
    """
    return _along("log_softmax", jax.nn.log_softmax, input, dim, dtype)


def gumbel_softmax(
    logits: Float[Array, "*S"],
    tau: float = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
    *,
    key: Array,
) -> Float[Array, "*S"]:
    """A softened draw of a class: softmax((logits + g) / tau), g from a Gumbel distribution.

    Args:
        logits: any shape, floating.
        tau: the temperature, positive; small makes it nearly one-hot.
        hard: whether the value is one-hot; the gradient is the soft one all the same.
        eps: no effect, as in torch.
        dim: the axis of the classes.
        key: a key of jax.random.

    Returns:
        Shaped as logits, of sum 1 along dim.

    Raises:
        IndexError: where there is no such axis.

    Examples:
        >>> sorted(gumbel_softmax(array([0.0, 0.0]), hard=True, key=jax.random.key(0)).tolist())
        [0.0, 1.0]

    References:
        PyTorch, torch.nn.functional.gumbel_softmax; E. Jang et al., "Categorical Reparameterization" (2017).
    """
    axis = axis_of("gumbel_softmax", logits, dim)
    soft = jax.nn.softmax((logits + jax.random.gumbel(key, logits.shape, logits.dtype)) / tau, axis)
    if not hard:
        return soft
    one_hot = jax.nn.one_hot(soft.argmax(axis), soft.shape[axis], dtype=soft.dtype, axis=axis)
    return jax.lax.stop_gradient(one_hot - soft) + soft


def _along(name: str, function: Any, x: Float[Array, "*S"], dim: int | None, dtype: Any) -> Float[Array, "*S"]:
    if dim is None:
        warnings.warn(f"{name}: dim is not given, which torch deprecates; say which axis sums to 1", stacklevel=3)
        dim = 0 if x.ndim in (0, 1, 3) else 1
    axis = axis_of(name, x, dim)
    x = x if dtype is None else x.astype(dtype)
    # 16 bits hold no sum of many exponentials; torch sums in float32 too
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    result = function(wide, axis) if x.ndim else function(wide[None], 0)[0]
    return result.astype(x.dtype)
