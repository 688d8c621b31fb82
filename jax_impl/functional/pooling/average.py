"""Average pooling: the mean of every window, or its mean in a p-norm."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Shaped

from jax_impl.functional._spatial import per_axis
from jax_impl.functional.pooling._reduction import total
from jax_impl.functional.pooling._windows import Windows, check_windows, regular_windows
from jax_impl.functional.pooling.maximum import max_pool1d, max_pool2d, max_pool3d

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d"]

Sizes = int | Sequence[int]


def avg_pool1d(
    input: Shaped[Array, "*N C L"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Shaped[Array, "*N C M"]:
    """The mean of every window over one axis.

    Args:
        input: (N, C, L), or (C, L).
        kernel_size: the size of a window, a number, as are stride and padding.
        stride: the elements from one window to the next; None for kernel_size.
        padding: zeros on each side, at most half a window.
        ceil_mode: whether a last window may hang over the end; what is beyond the padding never counts.
        count_include_pad: whether the padding's zeros count as elements.

    Returns:
        (N, C, M), or (C, M).

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> avg_pool1d(array([[[1.0, 3.0, 2.0, 6.0]]]), 2).tolist()
        [[[2.0, 4.0]]]

    References:
        PyTorch, torch.nn.functional.avg_pool1d.
    """
    return _mean("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Shaped[Array, "*N C H W"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Shaped[Array, "*N C P Q"]:
    """The mean of every window over two axes.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size: the size of a window, one number for both axes or one for each, as are stride and padding.
        stride: the elements from one window to the next; None for kernel_size.
        padding: zeros on each side, at most half a window.
        ceil_mode: whether a last window may hang over the end; what is beyond the padding never counts.
        count_include_pad: whether the padding's zeros count as elements.
        divisor_override: what to divide the sums by instead.

    Returns:
        (N, C, P, Q), or (C, P, Q).

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> avg_pool2d(array([[[[1.0, 3.0], [2.0, 6.0]]]]), 2).tolist()
        [[[[3.0]]]]

    References:
        PyTorch, torch.nn.functional.avg_pool2d.
    """
    return _mean("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Shaped[Array, "*N C D H W"],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Shaped[Array, "*N C P Q R"]:
    """The mean of every window over three axes.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W).
        kernel_size: the size of a window, one number for all axes or one for each, as are stride and padding.
        stride: the elements from one window to the next; None for kernel_size.
        padding: zeros on each side, at most half a window.
        ceil_mode: whether a last window may hang over the end; what is beyond the padding never counts.
        count_include_pad: whether the padding's zeros count as elements.
        divisor_override: what to divide the sums by instead.

    Returns:
        (N, C, P, Q, R), or (C, P, Q, R).

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> avg_pool3d(array([[[[[1.0, 3.0], [2.0, 6.0]]]]]), (1, 2, 2)).tolist()
        [[[[[3.0]]]]]

    References:
        PyTorch, torch.nn.functional.avg_pool3d.
    """
    return _mean("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def lp_pool1d(
    input: Float[Array, "*N C L"],
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Float[Array, "*N C M"]:
    """The p-norm of every window over one axis: (sum of x^p)^(1/p), of the largest magnitude where p is infinite.

    Args:
        input: (N, C, L), or (C, L).
        norm_type: p; with one that is not whole, negative elements give NaN.
        kernel_size: the size of a window, a number, as is stride.
        stride: the elements from one window to the next; None for kernel_size.
        ceil_mode: whether a last window may hang over the end; its mean then stands for the elements that it lacks.

    Returns:
        (N, C, M), or (C, M).

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> lp_pool1d(array([[[3.0, 4.0]]]), 2, 2).tolist()
        [[[5.0]]]

    References:
        PyTorch, torch.nn.functional.lp_pool1d.
    """
    if math.isinf(norm_type):
        return math.copysign(1, norm_type) * max_pool1d(
            math.copysign(1, norm_type) * jnp.abs(input), kernel_size, stride, 0, 1, ceil_mode
        )
    mean = avg_pool1d(input**norm_type, kernel_size, stride, 0, ceil_mode)
    return _root(mean, norm_type, math.prod(per_axis(kernel_size, 1, name="kernel_size")))


def lp_pool2d(
    input: Float[Array, "*N C H W"],
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Float[Array, "*N C P Q"]:
    """The p-norm of every window over two axes: (sum of x^p)^(1/p), of the largest magnitude where p is infinite.

    Args:
        input: (N, C, H, W), or (C, H, W).
        norm_type: p; with one that is not whole, negative elements give NaN.
        kernel_size: the size of a window, one number for both axes or one for each, as is stride.
        stride: the elements from one window to the next; None for kernel_size.
        ceil_mode: whether a last window may hang over the end; its mean then stands for the elements that it lacks.

    Returns:
        (N, C, P, Q), or (C, P, Q).

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> lp_pool2d(array([[[[3.0, 4.0]]]]), 2, (1, 2)).tolist()
        [[[[5.0]]]]

    References:
        PyTorch, torch.nn.functional.lp_pool2d.
    """
    if math.isinf(norm_type):
        return math.copysign(1, norm_type) * max_pool2d(
            math.copysign(1, norm_type) * jnp.abs(input), kernel_size, stride, 0, 1, ceil_mode
        )
    mean = avg_pool2d(input**norm_type, kernel_size, stride, 0, ceil_mode)
    return _root(mean, norm_type, math.prod(per_axis(kernel_size, 2, name="kernel_size")))


def lp_pool3d(
    input: Float[Array, "*N C D H W"],
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Float[Array, "*N C P Q R"]:
    """The p-norm of every window over three axes: (sum of x^p)^(1/p), of the largest magnitude where p is infinite.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W).
        norm_type: p; with one that is not whole, negative elements give NaN.
        kernel_size: the size of a window, one number for all axes or one for each, as is stride.
        stride: the elements from one window to the next; None for kernel_size.
        ceil_mode: whether a last window may hang over the end; its mean then stands for the elements that it lacks.

    Returns:
        (N, C, P, Q, R), or (C, P, Q, R).

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> lp_pool3d(array([[[[[3.0, 4.0]]]]]), 2, (1, 1, 2)).tolist()
        [[[[[5.0]]]]]

    References:
        PyTorch, torch.nn.functional.lp_pool3d.
    """
    if math.isinf(norm_type):
        return math.copysign(1, norm_type) * max_pool3d(
            math.copysign(1, norm_type) * jnp.abs(input), kernel_size, stride, 0, 1, ceil_mode
        )
    mean = avg_pool3d(input**norm_type, kernel_size, stride, 0, ceil_mode)
    return _root(mean, norm_type, math.prod(per_axis(kernel_size, 3, name="kernel_size")))


def _root(mean: Array, norm_type: float, elements: int) -> Array:
    # the detour by sign and magnitude gives a window of zeros the gradient 0, where the root's own is infinite
    magnitude = jnp.where(mean == 0, 0, jnp.abs(mean))
    return (jnp.sign(mean) * magnitude * elements) ** (1.0 / norm_type)


def _mean(
    name: str,
    axes: int,
    input: Array,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    kernel = per_axis(kernel_size, axes, name="kernel_size")
    strides = kernel if stride in (None, ()) else per_axis(stride, axes, name="stride")
    pads = per_axis(padding, axes, name="padding")
    check_windows(name, axes, input, kernel, strides, pads, (1,) * axes)
    if divisor_override == 0:
        raise RuntimeError(f"{name}: divisor_override is 0, wanted another number")
    # XLA would sum 16-bit numbers in 16 bits, torch sums them in 32
    wide = input.astype(jnp.promote_types(input.dtype, jnp.float32)) if _narrow(input) else input
    counts = np.ones((1,) * axes)
    y = wide
    for axis in range(-1, -axes - 1, -1):
        windows = regular_windows(input.shape[axis], kernel[axis], strides[axis], pads[axis], ceil_mode=ceil_mode)
        if len(windows.first) < 1:
            raise RuntimeError(f"{name}: no window {kernel} fits in an input of shape {input.shape}")
        y = total(y, axis, windows)
        row = _counts(windows, pads[axis] if count_include_pad else 0)
        counts = counts * row.reshape(-1, *(1,) * (-1 - axis))
    if divisor_override is not None:
        counts = np.full_like(counts, divisor_override)
    if jnp.issubdtype(input.dtype, jnp.integer):
        return lax.div(y, jnp.broadcast_to(jnp.asarray(counts, y.dtype), y.shape))
    return (y / jnp.asarray(counts, y.dtype)).astype(input.dtype)


def _narrow(x: Array) -> bool:
    return x.dtype in (jnp.bfloat16, jnp.float16)


def _counts(windows: Windows, padding: int) -> np.ndarray:
    """The elements of every window that are in the input or its padding: what ceil_mode adds beyond is neither."""
    first = np.maximum(windows.first, -padding)
    return np.minimum(windows.first + windows.count, windows.length + padding) - first
