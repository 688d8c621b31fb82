"""Adaptive pooling: as many windows as outputs are asked for, whatever the size of the input."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Shaped

from jax_impl.functional.pooling._reduction import largest, positions, total
from jax_impl.functional.pooling._windows import adaptive_windows

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]

OutputSize = int | None | Sequence[int | None]


def adaptive_avg_pool1d(input: Float[Array, "*N C L"], output_size: OutputSize) -> Float[Array, "*N C M"]:
    """The mean of each of so many windows over one axis.

    Window i goes from floor(i L / O) to ceil((i + 1) L / O), for L elements and O windows along an axis.

    Args:
        input: (N, C, L), or (C, L).
        output_size: the number of windows.

    Returns:
        (N, C, M), or (C, M).

    Raises:
        RuntimeError: where the input's shape, or a size, is out of range.

    Examples:
        >>> adaptive_avg_pool1d(array([[[1.0, 3.0, 5.0]]]), 2).tolist()
        [[[2.0, 4.0]]]

    References:
        PyTorch, torch.nn.functional.adaptive_avg_pool1d.
    """
    return _mean("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Float[Array, "*N C H W"], output_size: OutputSize) -> Float[Array, "*N C P Q"]:
    """The mean of each of so many windows over two axes.

    Window i goes from floor(i L / O) to ceil((i + 1) L / O), for L elements and O windows along an axis.

    Args:
        input: (N, C, H, W), or (C, H, W).
        output_size: the number of windows, one number for both axes or one for each; None for the input's own.

    Returns:
        (N, C, P, Q), or (C, P, Q).

    Raises:
        RuntimeError: where the input's shape, or a size, is out of range.

    Examples:
        >>> adaptive_avg_pool2d(array([[[[1.0, 3.0, 5.0]]]]), (1, 2)).tolist()
        [[[[2.0, 4.0]]]]

    References:
        PyTorch, torch.nn.functional.adaptive_avg_pool2d.
    """
    return _mean("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Float[Array, "*N C D H W"], output_size: OutputSize) -> Float[Array, "*N C P Q R"]:
    """The mean of each of so many windows over three axes.

    Window i goes from floor(i L / O) to ceil((i + 1) L / O), for L elements and O windows along an axis.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W).
        output_size: the number of windows, one number for all axes or one for each; None for the input's own.

    Returns:
        (N, C, P, Q, R), or (C, P, Q, R).

    Raises:
        RuntimeError: where the input's shape, or a size, is out of range.

    Examples:
        >>> adaptive_avg_pool3d(array([[[[[1.0, 3.0, 5.0]]]]]), (1, 1, 2)).tolist()
        [[[[[2.0, 4.0]]]]]

    References:
        PyTorch, torch.nn.functional.adaptive_avg_pool3d.
    """
    return _mean("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(input: Shaped[Array, "*N C L"], output_size: OutputSize, return_indices: bool = False) -> Any:
    """The largest element of each of so many windows over one axis.

    Window i goes from floor(i L / O) to ceil((i + 1) L / O), for L elements and O windows along an axis.

    Args:
        input: (N, C, L), or (C, L).
        output_size: the number of windows.
        return_indices: whether to return where each stood too, counted in reading order over the spatial axes.

    Returns:
        (N, C, M), or (C, M); with return_indices a pair of it and of integers.

    Raises:
        RuntimeError: where the input's shape, or a size, is out of range.

    Examples:
        >>> adaptive_max_pool1d(array([[[1.0, 3.0, 5.0]]]), 2).tolist()
        [[[3.0, 5.0]]]

    References:
        PyTorch, torch.nn.functional.adaptive_max_pool1d.
    """
    return _largest("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Shaped[Array, "*N C H W"], output_size: OutputSize, return_indices: bool = False) -> Any:
    """The largest element of each of so many windows over two axes.

    Window i goes from floor(i L / O) to ceil((i + 1) L / O), for L elements and O windows along an axis.

    Args:
        input: (N, C, H, W), or (C, H, W).
        output_size: the number of windows, one number for both axes or one for each; None for the input's own.
        return_indices: whether to return where each stood too, counted in reading order over the spatial axes.

    Returns:
        (N, C, P, Q), or (C, P, Q); with return_indices a pair of it and of integers.

    Raises:
        RuntimeError: where the input's shape, or a size, is out of range.

    Examples:
        >>> adaptive_max_pool2d(array([[[[1.0, 3.0, 5.0]]]]), (1, 2)).tolist()
        [[[[3.0, 5.0]]]]

    References:
        PyTorch, torch.nn.functional.adaptive_max_pool2d.
    """
    return _largest("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(
    input: Shaped[Array, "*N C D H W"], output_size: OutputSize, return_indices: bool = False
) -> Any:
    """The largest element of each of so many windows over three axes.

    Window i goes from floor(i L / O) to ceil((i + 1) L / O), for L elements and O windows along an axis.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W).
        output_size: the number of windows, one number for all axes or one for each; None for the input's own.
        return_indices: whether to return where each stood too, counted in reading order over the spatial axes.

    Returns:
        (N, C, P, Q, R), or (C, P, Q, R); with return_indices a pair of it and of integers.

    Raises:
        RuntimeError: where the input's shape, or a size, is out of range.

    Examples:
        >>> adaptive_max_pool3d(array([[[[[1.0, 3.0, 5.0]]]]]), (1, 1, 2)).tolist()
        [[[[[3.0, 5.0]]]]]

    References:
        PyTorch, torch.nn.functional.adaptive_max_pool3d.
    """
    return _largest("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _mean(name: str, axes: int, input: Array, output_size: OutputSize) -> Array:
    sizes = _sizes(name, axes, input, output_size)
    # XLA would sum 16-bit numbers in 16 bits, torch sums them in 32
    y = input.astype(jnp.float32) if input.dtype in (jnp.bfloat16, jnp.float16) else input
    for axis in range(-1, -axes - 1, -1):
        windows = adaptive_windows(input.shape[axis], sizes[axis])
        counts = np.asarray(windows.count).reshape(-1, *(1,) * (-1 - axis))
        y = total(y, axis, windows) / jnp.asarray(counts, y.dtype)
    return y.astype(input.dtype)


def _largest(name: str, axes: int, input: Array, output_size: OutputSize, return_indices: bool) -> Any:
    sizes = _sizes(name, axes, input, output_size)
    y, index = input, positions(input, axes) if return_indices else None
    for axis in range(-1, -axes - 1, -1):
        y, index = largest(y, axis, adaptive_windows(input.shape[axis], sizes[axis]), index)
    return (y, index) if return_indices else y


def _sizes(name: str, axes: int, input: Array, output_size: OutputSize) -> tuple[int, ...]:
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * axes
    if input.ndim not in (axes + 1, axes + 2) or 0 in input.shape[-axes:]:
        raise RuntimeError(
            f"{name}: input has shape {input.shape}, wanted {axes + 2} axes, (N, channels, ...), or {axes + 1} without "
            "N, and no empty spatial axis"
        )
    if len(given) == 1:
        given *= axes
    if len(given) != axes:
        raise RuntimeError(f"{name}: output_size is {output_size!r}, wanted one number or {axes} of them")
    sizes = tuple(n if size is None else size for size, n in zip(given, input.shape[-axes:], strict=True))
    if min(sizes) < 0:
        raise RuntimeError(f"{name}: output_size is {output_size!r}, wanted none that is negative")
    return sizes
