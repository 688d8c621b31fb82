"""Initial values drawn from a distribution: uniform, normal, cut off, orthogonal, sparse.

References:
    PyTorch, torch.nn.init.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jax_impl.nn._draws import draw
from jax_impl.nn.init._filling import Generator, Tensor, filled, key_of, require, wide

__all__ = [
    "uniform_",
    "normal_",
    "trunc_normal_",
    "orthogonal_",
    "sparse_",
]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with U(a, b).

    Args:
        tensor: of any shape.
        a, b: the bounds.
        generator: where the random numbers come from; JAX has no global generator, so it must be given.

    Raises:
        ValueError: where there is no generator.

    Examples:
        >>> w = uniform_(jnp.zeros((3, 5)), -1.0, 1.0, generator=jax.random.key(0))
        >>> bool(abs(w).max() <= 1.0)
        True
    """
    return filled(tensor, draw(jax.random.uniform, key_of("uniform_", generator), tensor.shape, wide(tensor), a, b))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with N(mean, std^2).

    Args:
        tensor: of any shape.
        mean, std: of the distribution.
        generator: as for `uniform_`.

    Examples:
        >>> normal_(jnp.zeros((3, 5)), generator=jax.random.key(0)).shape
        (3, 5)
    """
    return filled(tensor, draw(_normal, key_of("normal_", generator), tensor.shape, wide(tensor), mean, std))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with N(mean, std^2) cut off outside [a, b].

    Args:
        tensor: of any shape.
        mean, std: of the distribution before the cut.
        a, b: the bounds, in the units of the values.
        generator: as for `uniform_`.

    Examples:
        >>> w = trunc_normal_(jnp.zeros((3, 5)), std=3.0, generator=jax.random.key(0))
        >>> bool(abs(w).max() <= 2.0)
        True
    """
    key = key_of("trunc_normal_", generator)
    return filled(tensor, draw(_trunc_normal, key, tensor.shape, wide(tensor), mean, std, a, b))


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with rows, or columns where there are fewer, that are orthonormal: uniform over such matrices.

    Args:
        tensor: two axes at least; all but the first count as one.
        gain: a factor on the whole.
        generator: as for `uniform_`.

    Raises:
        ValueError: where tensor has fewer than two axes.

    Examples:
        >>> w = orthogonal_(jnp.zeros((2, 3)), generator=jax.random.key(0))
        >>> bool(jnp.allclose(w @ w.T, jnp.eye(2), atol=1e-6))
        True

    References:
        Saxe et al. (2014); Mezzadri (2007), on the signs.
    """
    require("orthogonal_", tensor, tensor.ndim >= 2, "2 axes or more")
    if math.prod(tensor.shape) == 0:
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    tall = (max(rows, columns), min(rows, columns))
    q, r = jnp.linalg.qr(jax.random.normal(key_of("orthogonal_", generator), tall, wide(tensor)))
    q = q * jnp.sign(jnp.diag(r))  # LAPACK's signs are not random
    return filled(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill with N(0, std^2), and zeros in each column.

    Args:
        tensor: two axes.
        sparsity: the share of zeros, rounded up to whole elements.
        std: of the others.
        generator: as for `uniform_`.

    Raises:
        ValueError: where tensor has not two axes.

    Examples:
        >>> w = sparse_(jnp.zeros((10, 3)), 0.25, generator=jax.random.key(0))
        >>> (w == 0).sum(0).tolist()
        [3, 3, 3]

    References:
        Martens (2010).
    """
    require("sparse_", tensor, tensor.ndim == 2, "2 axes")
    values, order = jax.random.split(key_of("sparse_", generator))
    place = jnp.argsort(jax.random.uniform(order, tensor.shape), axis=0)  # a permutation of the rows in each column
    kept = place >= math.ceil(sparsity * tensor.shape[0])
    return filled(tensor, jnp.where(kept, std * jax.random.normal(values, tensor.shape, wide(tensor)), 0))


def _normal(key: Array, shape: tuple[int, ...], dtype: Any, mean: float, std: float) -> Array:
    return mean + std * jax.random.normal(key, shape, dtype)


def _trunc_normal(key: Array, shape: Any, dtype: Any, mean: float, std: float, a: float, b: float) -> Array:
    lower, upper = ((bound - mean) / std for bound in (a, b))
    return jnp.clip(mean + std * jax.random.truncated_normal(key, lower, upper, shape, dtype), a, b)
