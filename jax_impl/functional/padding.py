"""Padding: numbers around an array, constant ones or copies of its own."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Shaped

__all__ = ["pad"]


def pad(
    input: Shaped[Array, "..."], pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Shaped[Array, "..."]:
    """Lengthen the last axes on both sides, or shorten them where a number is negative.

    "constant" pads with a value; "reflect" with the elements beyond the edge mirrored, without the edge itself;
    "replicate" with the edge; "circular" with the elements of the other end.

    Args:
        input: any shape for "constant"; else (N, C, ...) or (C, ...), with one to three spatial axes, all padded.
        pad: (left, right) of the last axis, then of the one before it, and so on.
        mode: "constant", "reflect", "replicate" or "circular".
        value: for "constant" alone; None for 0.

    Returns:
        The padded array.

    Raises:
        RuntimeError: where a number is out of range.
        NotImplementedError: where the mode is unknown, or does not take such a shape.

    Examples:
        >>> x = array([[[1.0, 2.0, 3.0]]])
        >>> pad(x, (1, 1), "reflect").tolist(), pad(x, (1, -1), "circular").tolist()
        ([[[2.0, 1.0, 2.0, 3.0, 2.0]]], [[[2.0, 1.0, 2.0]]])

    References:
        PyTorch, torch.nn.functional.pad.
    """
    amounts = tuple(pad)
    if len(amounts) % 2 or len(amounts) > 2 * input.ndim:
        raise RuntimeError(f"pad: pad is {amounts}, wanted two numbers for each of the last axes of {input.shape}")
    pairs = [(amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)]
    edges = [(0, 0)] * (input.ndim - len(pairs)) + pairs[::-1]
    if mode == "constant":
        if any(n + left + right < 0 for n, (left, right) in zip(input.shape, edges, strict=True)):
            raise RuntimeError(f"pad: pad {amounts} takes away more than there is of shape {input.shape}")
        fill = jnp.asarray(0 if value is None else value).astype(input.dtype)
        return lax.pad(input, fill, [(left, right, 0) for left, right in edges])
    if mode not in _COPIES:
        raise NotImplementedError(f"pad: mode is {mode!r}, wanted 'constant', {', '.join(map(repr, _COPIES))}")
    if value not in (None, 0):
        raise RuntimeError(f"pad: value is {value}, and mode {mode!r} takes none")
    if not 1 <= len(pairs) <= 3 or input.ndim - len(pairs) not in (1, 2):
        raise NotImplementedError(
            f"pad: mode {mode!r} pads all of one to three spatial axes of (N, C, ...) or (C, ...), and the input has "
            f"shape {input.shape}, pad {amounts}"
        )
    for axis, (left, right) in enumerate(edges):
        if (left, right) != (0, 0):
            _check(mode, input, axis, left, right)
            input = _COPIES[mode](input, axis, left, right)
    return input


def _check(mode: str, x: Array, axis: int, left: int, right: int) -> None:
    length = x.shape[axis]
    most = {"reflect": length - 1, "circular": length}.get(mode)
    if most is not None and max(left, right) > most:
        raise RuntimeError(f"pad: {mode} can add {most} at most to axis {axis} of shape {x.shape}, not {(left, right)}")
    if length + left + right < 1 or length == 0:
        raise RuntimeError(f"pad: pad {(left, right)} leaves nothing of axis {axis} of shape {x.shape}")


def _reflect(x: Array, axis: int, left: int, right: int) -> Array:
    n = x.shape[axis]
    before = lax.rev(lax.slice_in_dim(x, 1, max(left, 0) + 1, axis=axis), (axis,))
    after = lax.rev(lax.slice_in_dim(x, n - 1 - max(right, 0), n - 1, axis=axis), (axis,))
    return _cut(lax.concatenate([before, x, after], axis), axis, left, right)


def _replicate(x: Array, axis: int, left: int, right: int) -> Array:
    n = x.shape[axis]
    edges = lax.slice_in_dim(x, 0, 1, axis=axis), lax.slice_in_dim(x, n - 1, n, axis=axis)
    counts = max(left, 0), max(right, 0)
    shapes = ([c if a == axis else m for a, m in enumerate(x.shape)] for c in counts)
    before, after = (jnp.broadcast_to(edge, shape) for edge, shape in zip(edges, shapes, strict=True))
    return _cut(lax.concatenate([before, x, after], axis), axis, left, right)


def _circular(x: Array, axis: int, left: int, right: int) -> Array:
    # torch cuts first, and goes round what is left
    x = _cut(x, axis, left, right)
    n = x.shape[axis]
    return (
        jnp.take(x, np.arange(-max(left, 0), n + max(right, 0)) % n, axis=axis)
        if max(left, right) > n
        else (
            lax.concatenate(
                [
                    lax.slice_in_dim(x, n - max(left, 0), n, axis=axis),
                    x,
                    lax.slice_in_dim(x, 0, max(right, 0), axis=axis),
                ],
                axis,
            )
        )
    )


def _cut(x: Array, axis: int, left: int, right: int) -> Array:
    return lax.slice_in_dim(x, max(-left, 0), x.shape[axis] - max(-right, 0), axis=axis)


_COPIES = {"reflect": _reflect, "replicate": _replicate, "circular": _circular}
