"""Max unpooling: every element goes back to where max pooling found it, and zeros stand everywhere else."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Shaped

from jax_impl.functional._spatial import per_axis

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]

Sizes = int | Sequence[int]


def max_unpool1d(
    input: Shaped[Array, "*N C M"],
    indices: Int[Array, "*N C M"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Shaped[Array, "*N C L"]:
    """Put every element back to where max_pool1d(..., return_indices=True) found it.

    Args:
        input: (N, C, M), or (C, M).
        indices: of the same shape, each in its own plane.
        kernel_size, stride, padding: those of the pooling.
        output_size: of the spatial axes, or of all of them; None for (M - 1) * stride - 2 * padding + kernel_size.

    Returns:
        (N, C, L), or (C, L).

    Raises:
        ValueError: where output_size could not have been pooled to the input's size.
        RuntimeError: where shapes do not go together, or an index is out of range (as far as it is known, outside jit).

    Examples:
        >>> max_unpool1d(array([[[3.0, 5.0]]]), array([[[1, 2]]]), 2).tolist()
        [[[0.0, 3.0, 5.0, 0.0]]]

    References:
        PyTorch, torch.nn.functional.max_unpool1d.
    """
    return _unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Shaped[Array, "*N C P Q"],
    indices: Int[Array, "*N C P Q"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Shaped[Array, "*N C H W"]:
    """Put every element back to where max_pool2d(..., return_indices=True) found it.

    Args:
        input: (N, C, P, Q), or (C, P, Q).
        indices: of the same shape, each in its own plane.
        kernel_size, stride, padding: those of the pooling.
        output_size: of the spatial axes, or of all of them; None for (M - 1) * stride - 2 * padding + kernel_size.

    Returns:
        (N, C, H, W), or (C, H, W).

    Raises:
        ValueError: where output_size could not have been pooled to the input's size.
        RuntimeError: where shapes do not go together, or an index is out of range (as far as it is known, outside jit).

    Examples:
        >>> max_unpool2d(array([[[[3.0, 5.0]]]]), array([[[[1, 2]]]]), (1, 2)).tolist()
        [[[[0.0, 3.0, 5.0, 0.0]]]]

    References:
        PyTorch, torch.nn.functional.max_unpool2d.
    """
    return _unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Shaped[Array, "*N C P Q R"],
    indices: Int[Array, "*N C P Q R"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Shaped[Array, "*N C D H W"]:
    """Put every element back to where max_pool3d(..., return_indices=True) found it.

    Args:
        input: (N, C, P, Q, R), or (C, P, Q, R).
        indices: of the same shape, each in its own plane.
        kernel_size, stride, padding: those of the pooling.
        output_size: of the spatial axes, or of all of them; None for (M - 1) * stride - 2 * padding + kernel_size.

    Returns:
        (N, C, D, H, W), or (C, D, H, W).

    Raises:
        ValueError: where output_size could not have been pooled to the input's size.
        RuntimeError: where shapes do not go together, or an index is out of range (as far as it is known, outside jit).

    Examples:
        >>> max_unpool3d(array([[[[[3.0, 5.0]]]]]), array([[[[[1, 2]]]]]), (1, 1, 2)).tolist()
        [[[[[0.0, 3.0, 5.0, 0.0]]]]]

    References:
        PyTorch, torch.nn.functional.max_unpool3d.
    """
    return _unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def _unpool(
    name: str,
    axes: int,
    input: Array,
    indices: Array,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> Array:
    if input.ndim not in (axes + 1, axes + 2) or input.shape != indices.shape:
        raise RuntimeError(
            f"{name}: input has shape {input.shape} and indices {indices.shape}, wanted one shape of {axes + 2} axes, "
            f"(N, channels, ...), or {axes + 1} without N"
        )
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise RuntimeError(f"{name}: indices are {indices.dtype}, wanted integers")
    kernel = per_axis(kernel_size, axes, name="kernel_size")
    strides = kernel if stride is None else per_axis(stride, axes, name="stride")
    pads = per_axis(padding, axes, name="padding")
    if min(strides) < 1:
        raise RuntimeError(f"{name}: stride is {strides}, wanted positive numbers")
    size = _size(name, input.shape[-axes:], kernel, strides, pads, output_size)
    # by NumPy, as indices that are known inside a jit are checked too
    known = np.zeros(0, int) if isinstance(indices, jax.core.Tracer) else np.asarray(indices)
    if ((known < 0) | (known >= math.prod(size))).any():
        raise RuntimeError(f"{name}: an index is not in [0, {math.prod(size)}), the output's spatial size {size}")
    planes = input.reshape(-1, math.prod(input.shape[-axes:]))
    filled = _scatter(planes, indices.reshape(planes.shape), math.prod(size))
    return filled.reshape(*input.shape[:-axes], *size)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _scatter(planes: Array, at: Array, length: int) -> Array:
    return jnp.zeros((len(planes), length), planes.dtype).at[jnp.arange(len(planes))[:, None], at].set(planes)


@_scatter.defjvp
def _scatter_jvp(length: int, primals: tuple[Array, Array], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
    # of several elements with one index one is kept, but each has the gradient that arrives there, as in torch:
    # the transpose of adding them up
    (planes, at), (tangent, _) = primals, tangents
    zeros = jnp.zeros((len(planes), length), tangent.dtype)
    return _scatter(planes, at, length), zeros.at[jnp.arange(len(planes))[:, None], at].add(tangent)


def _size(
    name: str,
    pooled: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    output_size: Sequence[int] | None,
) -> tuple[int, ...]:
    usual = tuple((n - 1) * s + k - 2 * p for n, k, s, p in zip(pooled, kernel, strides, pads, strict=True))
    size = usual if output_size is None else tuple(output_size)
    if len(size) == len(usual) + 2:
        size = size[2:]
    if len(size) != len(usual):
        raise ValueError(f"{name}: output_size is {output_size}, wanted {len(usual)} or {len(usual) + 2} numbers")
    if not all(n - s < m < n + s for n, s, m in zip(usual, strides, size, strict=True)) or min(size) < 0:
        raise ValueError(
            f"{name}: output_size is {size}, wanted sizes within less than the stride {tuple(strides)} of {usual}"
        )
    return size
