"""Max pooling: the largest element of every window, and where it stood."""

from collections.abc import Sequence
from typing import Any

from jax import Array
from jaxtyping import Shaped

from jax_impl.functional._spatial import per_axis
from jax_impl.functional.pooling._reduction import largest, positions
from jax_impl.functional.pooling._windows import check_windows, regular_windows

__all__ = ["max_pool1d", "max_pool2d", "max_pool3d"]

Sizes = int | Sequence[int]


def max_pool1d(
    input: Shaped[Array, "*N C L"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of every window over one axis.

    Where several are largest, the first in reading order has the gradient and the index; a NaN is larger than any.

    Args:
        input: (N, C, L), or (C, L).
        kernel_size: the size of a window, a number, as are stride, padding and dilation.
        stride: the elements from one window to the next; None for kernel_size.
        padding: elements of minus infinity on each side, at most half a window.
        dilation: the elements from one of a window to its next.
        ceil_mode: whether a last window may hang over the end.
        return_indices: whether to return where each stood too, counted in reading order over the spatial axes.

    Returns:
        (N, C, M), or (C, M); with return_indices a pair of it and of integers.

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> max_pool1d(array([[[1.0, 3.0, 2.0, 5.0]]]), 2).tolist()
        [[[3.0, 5.0]]]

    References:
        PyTorch, torch.nn.functional.max_pool1d.
    """
    return _pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Shaped[Array, "*N C H W"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of every window over two axes.

    Where several are largest, the first in reading order has the gradient and the index; a NaN is larger than any.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size: the size of a window; like stride, padding and dilation one number for both axes or one for each.
        stride: the elements from one window to the next; None for kernel_size.
        padding: elements of minus infinity on each side, at most half a window.
        dilation: the elements from one of a window to its next.
        ceil_mode: whether a last window may hang over the end.
        return_indices: whether to return where each stood too, counted in reading order over the spatial axes.

    Returns:
        (N, C, P, Q), or (C, P, Q); with return_indices a pair of it and of integers.

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> max_pool2d(array([[[[1.0, 3.0], [2.0, 5.0]]]]), 2).tolist()
        [[[[5.0]]]]

    References:
        PyTorch, torch.nn.functional.max_pool2d.
    """
    return _pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Shaped[Array, "*N C D H W"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of every window over three axes.

    Where several are largest, the first in reading order has the gradient and the index; a NaN is larger than any.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W).
        kernel_size: the size of a window; like stride, padding and dilation one number for all axes or one for each.
        stride: the elements from one window to the next; None for kernel_size.
        padding: elements of minus infinity on each side, at most half a window.
        dilation: the elements from one of a window to its next.
        ceil_mode: whether a last window may hang over the end.
        return_indices: whether to return where each stood too, counted in reading order over the spatial axes.

    Returns:
        (N, C, P, Q, R), or (C, P, Q, R); with return_indices a pair of it and of integers.

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> max_pool3d(array([[[[[1.0, 3.0], [2.0, 5.0]]]]]), (1, 2, 2)).tolist()
        [[[[[5.0]]]]]

    References:
        PyTorch, torch.nn.functional.max_pool3d.
    """
    return _pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _pool(
    name: str,
    axes: int,
    input: Array,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    kernel = per_axis(kernel_size, axes, name="kernel_size")
    strides = kernel if stride in (None, ()) else per_axis(stride, axes, name="stride")
    pads, dilations = per_axis(padding, axes, name="padding"), per_axis(dilation, axes, name="dilation")
    check_windows(name, axes, input, kernel, strides, pads, dilations)
    y, index = input, positions(input, axes) if return_indices else None
    for axis in range(-1, -axes - 1, -1):
        windows = regular_windows(
            input.shape[axis], kernel[axis], strides[axis], pads[axis], dilations[axis], ceil_mode=ceil_mode
        )
        if len(windows.first) < 1:
            raise RuntimeError(f"{name}: no window {kernel} fits in an input of shape {input.shape}")
        y, index = largest(y, axis, windows, index)
    return (y, index) if return_indices else y
