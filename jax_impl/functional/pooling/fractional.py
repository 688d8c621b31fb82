"""Fractional max pooling: windows at random distances, so that an image shrinks by less than two at a time."""

from collections.abc import Sequence
from typing import Any

import jax
from jax import Array
from jaxtyping import Float

from jax_impl.functional._spatial import per_axis
from jax_impl.functional.pooling._reduction import largest, positions
from jax_impl.functional.pooling._windows import fractional_windows

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]

Sizes = int | Sequence[int]
Ratios = float | Sequence[float]


def fractional_max_pool2d(
    input: Float[Array, "*N C H W"],
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratios | None = None,
    return_indices: bool = False,
    _random_samples: Float[Array, "N C 2"] | None = None,
    *,
    key: Array | None = None,
) -> Any:
    """The largest element of windows at random distances over two axes.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size: the size of a window, one number for both axes or one for each.
        output_size: the number of windows, one for both axes or one for each; or
        output_ratio: how much of the input's size, in (0, 1).
        return_indices: whether to return where each stood too, counted in reading order over the spatial axes.
        _random_samples: (N, C, 2) in [0, 1), for the width and for the height: what places the windows; or
        key: a random key that they are drawn from.

    Returns:
        (N, C, P, Q), or (C, P, Q); with return_indices a pair of it and of integers.

    Raises:
        ValueError: where neither a size nor a ratio is given, or neither samples nor a key.
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> u = array([[[0.5, 0.5]]])
        >>> fractional_max_pool2d(array([[[[1.0, 3.0, 2.0]]]]), (1, 2), (1, 2), _random_samples=u).tolist()
        [[[[3.0, 3.0]]]]

    References:
        B. Graham, "Fractional Max-Pooling" (2014); PyTorch, torch.nn.functional.fractional_max_pool2d.
    """
    # torch draws from its global generator where no samples are given
    name = "fractional_max_pool2d"
    return _pool(name, 2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples, key)


def fractional_max_pool3d(
    input: Float[Array, "*N C D H W"],
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratios | None = None,
    return_indices: bool = False,
    _random_samples: Float[Array, "N C 3"] | None = None,
    *,
    key: Array | None = None,
) -> Any:
    """The largest element of windows at random distances over three axes.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W).
        kernel_size: the size of a window, one number for all axes or one for each.
        output_size: the number of windows, one for all axes or one for each; or
        output_ratio: how much of the input's size, in (0, 1).
        return_indices: whether to return where each stood too, counted in reading order over the spatial axes.
        _random_samples: (N, C, 3) in [0, 1), for depth, height and width: what places the windows; or
        key: a random key that they are drawn from.

    Returns:
        (N, C, P, Q, R), or (C, P, Q, R); with return_indices a pair of it and of integers.

    Raises:
        ValueError: where neither a size nor a ratio is given, or neither samples nor a key.
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> u = array([[[0.5, 0.5, 0.5]]])
        >>> fractional_max_pool3d(array([[[[[1.0, 3.0, 2.0]]]]]), (1, 1, 2), (1, 1, 2), _random_samples=u).tolist()
        [[[[[3.0, 3.0]]]]]

    References:
        B. Graham, "Fractional Max-Pooling" (2014); PyTorch, torch.nn.functional.fractional_max_pool3d.
    """
    # torch draws from its global generator where no samples are given
    name = "fractional_max_pool3d"
    return _pool(name, 3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples, key)


def _pool(
    name: str,
    axes: int,
    input: Array,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: Ratios | None,
    return_indices: bool,
    samples: Array | None,
    key: Array | None,
) -> Any:
    if input.ndim not in (axes + 1, axes + 2) or 0 in input.shape[-axes - 1 :]:
        raise RuntimeError(f"{name}: input has shape {input.shape}, wanted {axes + 2} axes, or {axes + 1} without N")
    kernel = per_axis(kernel_size, axes, name="kernel_size")
    size = _size(name, input.shape[-axes:], output_size, output_ratio)
    for n, k, o in zip(input.shape[-axes:], kernel, size, strict=True):
        if k < 1 or o < 1 or o + k - 1 > n:
            raise RuntimeError(f"{name}: {o} windows of {k} elements do not fit in the input of shape {input.shape}")
    x = input if input.ndim == axes + 2 else input[None]
    if samples is None:
        if key is None:
            raise ValueError(f"{name}: give key=, a random key to draw the windows from, or _random_samples=")
        samples = jax.random.uniform(key, (*x.shape[:2], axes), x.dtype)
    if samples.ndim != 3 or samples.shape[0] < x.shape[0] or samples.shape[1:] != (x.shape[1], axes):
        raise RuntimeError(f"{name}: _random_samples has shape {samples.shape}, wanted {(*x.shape[:2], axes)}")
    y, index = x, positions(x, axes) if return_indices else None
    for axis in range(-1, -axes - 1, -1):
        # torch's order: width before height over two axes, depth before height before width over three
        sample = samples[: len(x), :, -1 - axis if axes == 2 else axes + axis]
        windows = fractional_windows(sample, x.shape[axis], size[axis], kernel[axis])
        y, index = largest(y, axis, windows, index)
    if x is not input:
        y, index = y[0], None if index is None else index[0]
    return (y, index) if return_indices else y


def _size(name: str, spatial: Sequence[int], output_size: Sizes | None, output_ratio: Ratios | None) -> tuple[int, ...]:
    if output_size is not None:
        return per_axis(output_size, len(spatial), name="output_size")
    if output_ratio is None:
        raise ValueError(f"{name}: give output_size or output_ratio")
    ratios = tuple(output_ratio) if isinstance(output_ratio, Sequence) else (output_ratio,) * len(spatial)
    if len(ratios) != len(spatial):
        raise ValueError(f"{name}: output_ratio is {output_ratio!r}, wanted one number or {len(spatial)} of them")
    return tuple(int(n * ratio) for n, ratio in zip(spatial, ratios, strict=True))
