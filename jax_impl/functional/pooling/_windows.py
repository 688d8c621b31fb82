"""Pooling is a reduction over windows: where they lie along an axis."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Shaped

from jax_impl.functional._spatial import window_count

__all__ = [
    "Windows",
    "regular_windows",
    "adaptive_windows",
    "fractional_windows",
    "check_windows",
]


@dataclass(frozen=True)
class Windows:
    """Windows along an axis of `length` elements: element j of window i is at first[i] + dilation * j, j < count[i].

    Attributes:
        length: of the axis.
        first: (O,), or (N, C, O) where each channel has windows of its own; below zero in the padding.
        count: (O,), the elements of each window, the padding's among them.
        dilation: the elements from one of a window to its next.

    Examples:
        >>> regular_windows(4, 2).first.tolist()
        [0, 2]

    References:
        PyTorch, torch.nn.MaxPool1d, torch.nn.AdaptiveAvgPool1d.
    """

    length: int
    first: Any
    count: Int[np.ndarray, " O"]
    dilation: int = 1


def regular_windows(
    length: int,
    kernel: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    *,
    ceil_mode: bool = False,
) -> Windows:
    """Windows of one size at one distance.

    Args:
        length: of the axis.
        kernel: the elements of a window.
        stride: the elements from one window to the next; None for as many as the kernel has.
        padding: elements added on each side.
        dilation: the elements from one of a window to its next.
        ceil_mode: whether a last window may hang over the end.

    Returns:
        The windows.

    Examples:
        >>> windows = regular_windows(5, 3, 2, 1)
        >>> windows.first.tolist(), windows.count.tolist()
        ([-1, 1, 3], [3, 3, 3])

    References:
        PyTorch, torch.nn.MaxPool1d.
    """
    step = kernel if stride is None else stride
    count = window_count(length, kernel, step, padding, dilation, ceil_mode=ceil_mode)
    return Windows(length, np.arange(count) * step - padding, np.full(count, kernel), dilation)


def adaptive_windows(length: int, output: int) -> Windows:
    """As many windows as outputs are wanted, of sizes that differ by one at most where they do not overlap.

    Window i goes from floor(i L / O) to ceil((i + 1) L / O).

    Args:
        length: L.
        output: O.

    Returns:
        The windows.

    Examples:
        >>> windows = adaptive_windows(5, 3)
        >>> windows.first.tolist(), windows.count.tolist()
        ([0, 1, 3], [2, 3, 2])

    References:
        PyTorch, torch.nn.AdaptiveAvgPool1d.
    """
    i = np.arange(output)
    first = i * length // max(output, 1)
    return Windows(length, first, -(-(i + 1) * length // max(output, 1)) - first)


def fractional_windows(sample: Float[Array, "N C"], length: int, output: int, kernel: int) -> Windows:
    """Windows of one size at distances that a random number decides: floor(a (i + u)) - floor(a u).

    a = (length - kernel) / (output - 1); the last window ends with the axis.

    Args:
        sample: u, in [0, 1), for each channel.
        length: of the axis.
        output: the number of windows.
        kernel: the elements of a window.

    Returns:
        The windows, for each channel its own.

    Examples:
        >>> fractional_windows(array([[0.5]]), 7, 3, 2).first.tolist()
        [[[0, 2, 5]]]

    References:
        B. Graham, "Fractional Max-Pooling" (2014), section 2; PyTorch, torch.nn.FractionalMaxPool2d.
    """
    last = length - kernel
    first = jnp.full((*sample.shape, output), last)
    if output > 1:
        a = jnp.asarray(last, sample.dtype) / (output - 1)
        i = jnp.arange(output - 1, dtype=sample.dtype)
        steps = jnp.floor((i + sample[..., None]) * a) - jnp.floor(sample[..., None] * a)
        first = first.at[..., :-1].set(steps.astype(first.dtype))
    return Windows(length, first, np.full(output, kernel))


def check_windows(
    name: str,
    axes: int,
    input: Shaped[Array, "..."],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> None:
    """Refuse what no pooling takes.

    Args:
        name: of the pooling, for the message.
        axes: how many spatial axes there are.
        input: (N, C, ...), or (C, ...).
        kernel, stride, padding, dilation: a number for each axis.

    Raises:
        RuntimeError: where the input's shape, or a number, is out of range.

    Examples:
        >>> check_windows("max_pool1d", 1, array([[1.0, 2.0]]), (2,), (2,), (1,), (1,))

    References:
        PyTorch, torch.nn.functional.max_pool2d.
    """
    if input.ndim not in (axes + 1, axes + 2) or 0 in input.shape[-axes - 1 :]:
        raise RuntimeError(
            f"{name}: input has shape {tuple(input.shape)}, wanted {axes + 2} axes, (N, channels, ...), or {axes + 1} "
            "without N, and none but N empty"
        )
    for argument, numbers in {"kernel_size": kernel, "stride": stride, "dilation": dilation}.items():
        if min(numbers) < 1:
            raise RuntimeError(f"{name}: {argument} is {numbers}, wanted positive numbers")
    if any(not 0 <= 2 * p <= d * (k - 1) + 1 for p, k, d in zip(padding, kernel, dilation, strict=True)):
        raise RuntimeError(
            f"{name}: padding is {padding}, wanted at most half of the window {kernel}, and not negative"
        )
