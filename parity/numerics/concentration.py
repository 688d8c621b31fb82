"""Where the error concentrates: one row, one channel, one step that has most of the sum of squares."""

import math
from collections.abc import Iterator

import numpy as np

from parity.numerics.steps import to_float64

BLOCK = 16_384  # elements; three float64 arrays of this size live at once


def concentration(
    sides: tuple[np.ndarray, ...], names: tuple[str, ...], largest: float
) -> tuple[int, int, float] | None:
    """The slice along one axis that has at least half of the sum of squares, and at least twice its even share.

    Args:
        sides: Left and right, of one shape; bfloat16 as its bits. More arrays are not looked at.
        names: Their dtypes.
        largest: Their largest difference, by which all are divided, so that no square overflows.

    Returns:
        Axis, index along it, share of the sum of squares; of several, the one furthest above its even share. None where
        the error is spread, or there is none.

    Examples:
        >>> left, right = np.zeros((4, 6)), np.zeros((4, 6))
        >>> right[:, 2] = 1e-3
        >>> concentration((left, right), ("float64", "float64"), 1e-3)
        (1, 2, 1.0)
    """
    shape = sides[0].shape
    if not 0.0 < largest < math.inf or max(shape, default=0) < 2:
        return None
    sums = [np.zeros(length) for length in shape]
    for corner in _blocks(shape):
        with np.errstate(invalid="ignore", over="ignore"):
            left, right = (to_float64(side[corner], name) for side, name in zip(sides[:2], names, strict=False))
            part = (left - right) / largest
        part = np.where(np.isfinite(part), part, 0.0)
        part *= part
        for axis, along in enumerate(sums):
            others = tuple(k for k in range(part.ndim) if k != axis)
            along[corner[axis]] += part.sum(axis=others)
    found = None
    for axis, along in enumerate(sums):
        index = int(along.argmax())
        share = float(along[index] / along.sum()) if along.any() else 0.0
        above = share * len(along)
        if share >= 0.5 and above >= 2.0 and (found is None or above > found[0]):
            found = (above, (axis, index, share))
    return found[1] if found else None


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Corners of blocks that together cover the shape, none larger than BLOCK."""
    sides, room = [], BLOCK
    for length in reversed(shape):
        sides.append(max(1, min(length, room)))
        room //= sides[-1]
    counts = [-(-length // side) for length, side in zip(shape, reversed(sides), strict=True)]
    for place in np.ndindex(*counts):
        yield tuple(slice(i * side, (i + 1) * side) for i, side in zip(place, reversed(sides), strict=True))
