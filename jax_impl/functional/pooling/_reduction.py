"""The largest element or the sum of every window along an axis, an element of all windows at a time.

Every pooling here reduces one axis after the other, the last one first: a window of k x k elements costs 2 k steps.
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Int, Shaped

from jax_impl.functional.pooling._windows import Windows

__all__ = ["largest", "total", "positions"]

UNROLLED = 32
"""Windows of more elements than this along an axis are walked through by a loop, and not by a program as long."""


def largest(
    x: Shaped[Array, "..."], axis: int, windows: Windows, index: Int[Array, "..."] | None = None
) -> tuple[Shaped[Array, "..."], Int[Array, "..."] | None]:
    """The largest element of every window along an axis, the first of several; NaN where there is one.

    Its gradient goes to that element alone.

    Args:
        x: what to reduce.
        axis: along which, negative.
        windows: where they lie.
        index: a number for every element of x, or None.

    Returns:
        The largest elements, and their numbers or None.

    Examples:
        >>> from jax_impl.functional.pooling._windows import regular_windows
        >>> largest(array([1.0, 3.0, 3.0, 2.0]), -1, regular_windows(4, 2))[0].tolist()
        [3.0, 3.0]

    References:
        PyTorch, torch.nn.MaxPool1d.
    """
    lowest = np.array(-np.inf if jnp.issubdtype(x.dtype, jnp.inexact) else np.iinfo(x.dtype).min, x.dtype)
    element, enters = _element(x, axis, windows, lowest), _enters(windows, axis)
    number = None if index is None else _element(index, axis, windows, np.zeros((), index.dtype))

    def step(best: tuple[Array, Array | None], j: Any) -> tuple[Array, Array | None]:
        value, at = best
        new = element(j)
        # torch walks through a window in this order: only more is better, a NaN always; the comparison has no gradient
        better = (new > value) | (new != new)
        if enters is not None:
            better = better | enters[j]
        chosen = None if at is None or number is None else jnp.where(better, number(j), at)
        return jnp.where(better, new, value), chosen

    return _walk(step, (element(0), None if number is None else number(0)), windows)


def total(x: Shaped[Array, "..."], axis: int, windows: Windows) -> Shaped[Array, "..."]:
    """The sum of every window along an axis; the padding counts as zeros.

    Args:
        x: what to reduce.
        axis: along which, negative.
        windows: where they lie.

    Returns:
        The sums.

    Examples:
        >>> from jax_impl.functional.pooling._windows import regular_windows
        >>> total(array([1.0, 3.0, 3.0, 2.0]), -1, regular_windows(4, 2)).tolist()
        [4.0, 5.0]

    References:
        PyTorch, torch.nn.AvgPool1d.
    """
    element = _element(x, axis, windows, np.zeros((), x.dtype))
    return _walk(lambda so_far, j: so_far + element(j), element(0), windows)


def _walk(step: Callable[[Any, Any], Any], first: Any, windows: Windows) -> Any:
    """step(step(first, 1), 2) and so on, to the last element of the longest window."""
    kernel = int(windows.count.max(initial=1))
    if kernel > UNROLLED:
        return lax.fori_loop(1, kernel, lambda j, so_far: step(so_far, j), first)
    for j in range(1, kernel):
        first = step(first, j)
    return first


def _element(x: Array, axis: int, windows: Windows, fill: np.ndarray) -> Callable[[Any], Array]:
    """The function of j that gives element j of every window, and fill where the window has none."""
    regular = _regular(windows)
    if regular is None:
        return lambda j: _gathered(x, axis, windows, fill, j)
    start, stride, kernel = regular
    end = start + stride * (len(windows.count) - 1) + windows.dilation * (kernel - 1) + 1
    edges = [(0, 0, 0)] * x.ndim
    edges[axis] = (max(-start, 0), max(end - windows.length, 0), 0)
    padded = lax.pad(x, jnp.asarray(fill), edges)
    start = max(start, 0)
    span = stride * (len(windows.count) - 1) + 1

    def element(j: Any) -> Array:
        if isinstance(j, int):
            at = start + windows.dilation * j
            return lax.slice_in_dim(padded, at, at + span, stride, axis % x.ndim)
        run = lax.dynamic_slice_in_dim(padded, start + windows.dilation * j, span, axis % x.ndim)
        return lax.slice_in_dim(run, 0, span, stride, axis % x.ndim)

    return element


def _regular(windows: Windows) -> tuple[int, int, int] | None:
    """The first window's start, the stride and the kernel, where all windows have one of each; else None."""
    if not isinstance(windows.first, np.ndarray) or len(windows.first) == 0:
        return None
    steps = set(np.diff(windows.first).tolist()) or {1}
    if len(steps) > 1 or len(set(windows.count.tolist())) > 1 or min(steps) < 1:
        return None
    return int(windows.first[0]), steps.pop(), int(windows.count[0])


def _gathered(x: Array, axis: int, windows: Windows, fill: np.ndarray, j: Any) -> Array:
    # j beyond a window's count repeats its last element, and is then replaced
    count = jnp.asarray(windows.count)
    at = jnp.asarray(windows.first) + windows.dilation * jnp.minimum(j, count - 1)
    exists = _along((at >= 0) & (at < windows.length) & (j < count), x.ndim, axis)
    at = jnp.clip(at, 0, windows.length - 1)
    if at.ndim == 1:
        found = jnp.take(x, at, axis=axis, mode="clip")
    else:
        found = jnp.take_along_axis(x, _along(at, x.ndim, axis), axis=axis, mode="promise_in_bounds")
    return jnp.where(exists, found, fill)


def _along(row: Array, axes: int, axis: int) -> Array:
    """(O,) or (N, C, O) in a shape that broadcasts against an array of so many axes, with O at its axis."""
    shape = [*row.shape[:-1], *(1,) * (axes - row.ndim + 1)] if row.ndim > 1 else [1] * axes
    shape[axis] = row.shape[-1]
    return row.reshape(shape)


def _enters(windows: Windows, axis: int) -> Array | None:
    """(kernel, O, ...): whether element j is the first of its window that is not padding; None where 0 always is."""
    if not isinstance(windows.first, np.ndarray) or (windows.first >= 0).all():
        return None
    j = np.arange(windows.count.max())[:, None]
    at = windows.first + windows.dilation * j
    inside = (at >= 0) & (at < windows.length)
    first = inside & (np.cumsum(inside, axis=0) == 1)
    return jnp.asarray(first).reshape(*first.shape, *(1,) * (-1 - axis))


def positions(x: Shaped[Array, "..."], axes: int) -> Int[Array, "..."]:
    """The number of every element within its plane: 0, 1, 2 and so on in reading order over the last axes.

    Args:
        x: anything.
        axes: how many of its last axes make a plane.

    Returns:
        Integers of the shape of x.

    Examples:
        >>> positions(array([[7.0, 7.0], [7.0, 7.0]]), 2).tolist()
        [[0, 1], [2, 3]]

    References:
        PyTorch, torch.nn.MaxPool2d, "return_indices".
    """
    plane = x.shape[-axes:]
    return jnp.broadcast_to(jnp.arange(math.prod(plane)).reshape(plane), x.shape)
