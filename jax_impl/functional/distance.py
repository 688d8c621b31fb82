"""Distances and cosines along one axis, and vectors scaled to length 1, with torch's slopes where a norm is 0."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from jax_impl.functional.arguments import axis_of
from jax_impl.functional.gradients import straight_through

__all__ = ["vector_norm", "cosine_similarity", "pairwise_distance", "pdist", "normalize"]


def vector_norm(x: Float[Array, "..."], p: float = 2.0, dim: int = -1, keepdim: bool = False) -> Float[Array, "..."]:
    """(sum |x_i|^p)^(1/p) along one axis; the largest |x_i| for p infinite, how many are not 0 for p = 0.

    The slope is 0 where the norm is, and shared by all that are largest for p infinite; jnp.linalg.norm's is NaN at 0.

    Args:
        x: any shape, floating.
        p: of the norm.
        dim: the axis.
        keepdim: whether the axis stays, of length 1.

    Returns:
        x's shape without dim.

    Raises:
        IndexError: where there is no such axis.

    Examples:
        >>> vector_norm(array([[3.0, 4.0]])).tolist()
        [5.0]

    References:
        PyTorch, torch.linalg.vector_norm.
    """
    axis = axis_of("vector_norm", x, dim)
    x = jnp.atleast_1d(x)
    size = x * jax.lax.stop_gradient(jnp.sign(x))  # |x| of slope 0 at 0
    if p == 0:
        return (x != 0).sum(axis, keepdims=keepdim).astype(x.dtype)
    if abs(p) == jnp.inf:
        return size.max(axis, keepdims=keepdim) if p > 0 else size.min(axis, keepdims=keepdim)
    if p == 1:
        return size.sum(axis, keepdims=keepdim)
    # neither power sees a 0, at which its slope is infinite
    powers = jnp.square(x) if p == 2 else jnp.where(x == 0, 0.0 if p > 0 else jnp.inf, jnp.where(x == 0, 1, size) ** p)
    total = powers.sum(axis, keepdims=keepdim)
    empty = total == 0
    inner = jnp.where(empty, 1, total)
    return jnp.where(empty, 0, jnp.sqrt(inner) if p == 2 else inner ** (1 / p))


def cosine_similarity(
    x1: Float[Array, "..."], x2: Float[Array, "..."], dim: int = 1, eps: float = 1e-8
) -> Float[Array, "..."]:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along one axis.

    Args:
        x1: floating.
        x2: of a shape that broadcasts with x1's.
        dim: the axis, of the shape that both broadcast to.
        eps: the least length.

    Returns:
        That shape without dim, in [-1, 1].

    Raises:
        IndexError: where there is no such axis.
        RuntimeError: where the shapes do not broadcast.

    Examples:
        >>> cosine_similarity(array([[1.0, 0.0]]), array([[3.0, 0.0]])).tolist()
        [1.0]

    References:
        PyTorch, torch.nn.functional.cosine_similarity.
    """
    x1, x2 = _together("cosine_similarity", x1, x2)
    axis = axis_of("cosine_similarity", x1, dim)
    x1, x2 = jnp.atleast_1d(x1), jnp.atleast_1d(x2)
    return (_unit(x1, axis, eps) * _unit(x2, axis, eps)).sum(axis)


def pairwise_distance(
    x1: Float[Array, "*N D"], x2: Float[Array, "*N D"], p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Float[Array, "*N"]:
    """|x1 - x2 + eps| in the p-norm, along the last axis.

    Args:
        x1: (D,) or (N, D), floating.
        x2: of a shape that broadcasts with x1's.
        p: of the norm.
        eps: added to each difference.
        keepdim: whether the last axis stays, of length 1.

    Returns:
        Without the last axis.

    Raises:
        RuntimeError: where the shapes do not broadcast.

    Examples:
        >>> pairwise_distance(array([[3.0, 4.0]]), array([[0.0, 0.0]]), eps=0.0).tolist()
        [5.0]

    References:
        PyTorch, torch.nn.functional.pairwise_distance.
    """
    x1, x2 = _together("pairwise_distance", x1, x2)
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


def pdist(input: Float[Array, "N D"], p: float = 2.0) -> Float[Array, " M"]:
    """|x_i - x_j| in the p-norm for every pair i < j: (0, 1), (0, 2), ..., (1, 2), ...

    The slope is 0 between equal rows; for p infinite each of the largest differences has all of it.

    Args:
        input: x (N, D), floating.
        p: of the norm, not negative.

    Returns:
        (N (N - 1) / 2,).

    Raises:
        RuntimeError: where input has not two axes or is not floating, or p is negative.

    Examples:
        >>> pdist(array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])).tolist()
        [5.0, 1.0, 4.242640495300293]

    References:
        PyTorch, torch.nn.functional.pdist.
    """
    if input.ndim != 2 or not jnp.issubdtype(input.dtype, jnp.floating):
        raise RuntimeError(f"pdist: input is {input.dtype} of shape {tuple(input.shape)}, wanted floats of (N, D)")
    if p < 0:
        raise RuntimeError(f"pdist: p is {p}, wanted 0 or more")
    i, j = np.triu_indices(len(input), 1)
    apart = input[i] - input[j]  # (M, D)
    if 0 in apart.shape:
        return jnp.zeros(len(i), input.dtype)
    length = vector_norm(apart, p)
    if p != jnp.inf:
        return length
    largest = jax.lax.stop_gradient(jnp.abs(apart) == length[:, None])
    sign = jax.lax.stop_gradient(jnp.sign(apart))
    return straight_through(length, jnp.where(largest, apart * sign, 0).sum(-1))


def normalize(input: Float[Array, "*S"], p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Float[Array, "*S"]:
    """x / max(|x|, eps) along one axis.

    Args:
        input: x, any shape, floating.
        p: of the norm.
        dim: the axis.
        eps: the least norm.

    Returns:
        Shaped as input.

    Raises:
        IndexError: where there is no such axis.

    Examples:
        >>> normalize(array([[3.0, 4.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929]]

    References:
        PyTorch, torch.nn.functional.normalize.
    """
    length = vector_norm(input, p, axis_of("normalize", input, dim), keepdim=True)
    return input / jnp.where(length < eps, eps, length)


def _unit(x: Float[Array, "..."], axis: int, eps: float) -> Float[Array, "..."]:
    length = vector_norm(x, 2.0, axis, keepdim=True)
    # torch raises the length to eps where no gradient is recorded
    return x / straight_through(jnp.maximum(length, eps), length)


def _together(name: str, x1: Float[Array, "..."], x2: Float[Array, "..."]) -> list[Float[Array, "..."]]:
    try:
        return list(jnp.broadcast_arrays(x1, x2))
    except ValueError:
        raise RuntimeError(f"{name}: x1 {tuple(x1.shape)} and x2 {tuple(x2.shape)} do not broadcast") from None
