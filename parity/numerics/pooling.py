"""A sensitivity from one disturbed run: what neighbours answered is pooled, where there are many of them."""

import numpy as np

MANY = 1 << 22
"""Elements of a task from which one disturbed run is tried before a whole ensemble: there the runs are what a check
costs. GPT-2's smallest model has 124 million; below four million eight more runs take some seconds at most."""

ENOUGH = 256
"""Numbers of a pool. The root mean square of 256 samples is within a quarter of its limit but once in a million times,
and the bound has lambda > 5 of those to give."""

PIECE = 1 << 15
"""Elements that are pooled at a time, where a pool is smaller: what is made of them on the way stays in the cache."""


def pooled(response: np.ndarray) -> np.ndarray:
    """The response of one member, nowhere smaller than the root mean square of those around it.

    One sample of an element may be far below the element's own size, its pool's mean is not. A pool is so many whole
    axes, from the last, as have `ENOUGH` numbers together: a row of a matrix, or all of a vector. Pooling makes a bound
    larger only where neighbours answer more; at float64, where a wrong formula lies 1e9 roundings away, neighbours that
    answer a million times as much still leave it found.

    Args:
        response: |f_h - f| / h of one member; the result is written to it, for a model's are many.

    Returns:
        The pooled response, of the same shape.

    Examples:
        >>> pooled(np.array([3.0, 0.0, 0.0, 0.0])).tolist()
        [3.0, 1.5, 1.5, 1.5]
    """
    response = np.asarray(response)
    axes: tuple[int, ...] = ()
    size = 1
    for axis in reversed(range(response.ndim)):
        if size >= ENOUGH:
            break
        axes, size = (*axes, axis), size * response.shape[axis]
    if size == 0:
        return response
    if len(axes) == response.ndim or response.size <= PIECE or not response.flags.c_contiguous:
        return _pooled(response, axes)
    rows = max(PIECE * len(response) // response.size, 1)
    for at in range(0, len(response), rows):
        _pooled(response[at : at + rows], axes)
    return response


def _pooled(response: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    with np.errstate(over="ignore"):
        finite = np.isfinite(response)
        squares = np.square(response if finite.all() else np.where(finite, response, 0.0))
        around = np.sqrt(np.mean(squares, axis=axes, keepdims=True))
    return np.maximum(response, around, out=response)
