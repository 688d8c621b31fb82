"""How far a reading is apart in units of its bounds, and what error would have been found."""

import math
from typing import Any

import numpy as np

from parity.numerics.chunks import COMPILED, in_spans, pieces
from parity.numerics.comparator import compiled_loops
from parity.numerics.dtypes import float_format
from parity.numerics.moderation import OCTAVES, PIECE, ZERO, by_octave
from parity.numerics.reading import FALSE_ALARMS, Reading, limits, relative, smallest_error

Position = tuple[int, ...]
COPIED_PIECE = 1 << 16  # elements; buffers for six arrays are 3 MB


def in_bounds(reading: Reading, lam: float) -> tuple[float, Position | None, float, Position | None, float]:
    """Largest difference by its bound at both precisions, each with its place, and the smallest error that shows.

    Args:
        reading: The four arrays, floating.
        lam: The factor from `confidence_factor`.

    Returns:
        (ratio and place at the reference's precision, the same at the working dtype, `smallest_error`).
    """
    loops = compiled_loops() if _plain(reading) else None
    if loops is not None:
        return _compiled(reading, lam, loops)
    limit64, limit = limits(reading, lam)
    return (
        *largest_ratio(reading.torch64, reading.jax64, limit64),
        *largest_ratio(reading.torch, reading.jax, limit),
        smallest_error(reading, limit64),
    )


def largest_ratio(left: np.ndarray, right: np.ndarray, limit: np.ndarray) -> tuple[float, Position | None]:
    """Largest |left - right| / limit over the elements that are finite on both sides, and where it is."""
    largest, place, any_finite = -1.0, 0, False
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for start, (one, other, most) in pieces((left, right, limit), 0, left.size, PIECE):
            finite = np.isfinite(one) & np.isfinite(other)
            any_finite = any_finite or bool(finite.any())
            distance = np.abs(one.astype(np.float64) - other.astype(np.float64))
            # An unmeasurable bound (NaN) gives no licence: only equality passes.
            ratios = np.where(distance == 0.0, 0.0, np.where(np.isnan(most), np.inf, distance / most))
            ratios = np.where(finite, ratios, 0.0)
            at = int(np.argmax(ratios))
            if ratios[at] > largest:
                largest, place = float(ratios[at]), start + at
    return _placed(largest if any_finite else -1.0, place, left.shape)


def _placed(ratio: float, place: int, shape: tuple[int, ...]) -> tuple[float, Position | None]:
    if ratio < 0.0:
        return 0.0, None
    return ratio, tuple(int(i) for i in np.unravel_index(place, shape))


def _plain(reading: Reading) -> bool:
    """Whether it is large, and as a run of a model gives it: a measured sensitivity for each element and no more."""
    sides = (reading.torch64, reading.jax64, reading.torch, reading.jax)
    s = reading.sensitivity
    return (
        reading.r.size >= COMPILED
        and reading.coarse is None
        and not reading.pairs
        and isinstance(s, np.ndarray)
        and s.shape == reading.r.shape
        and s.dtype == reading.r.dtype == np.float64
        and all(a.shape == s.shape and a.dtype in (np.float32, np.float64) for a in sides)
    )


def _compiled(reading: Reading, lam: float, loops: Any) -> tuple[float, Position | None, float, Position | None, float]:
    """Two passes over all arrays at once: what moderates each octave, then ratios and sums."""
    r, s = reading.r, np.asarray(reading.sensitivity)

    def moments(start: int, stop: int) -> list[np.ndarray]:
        sums = [np.zeros(OCTAVES) for _ in range(3)]
        for _, (one, other) in pieces((s, r), start, stop, COPIED_PIECE):
            loops.moments(one, other, ZERO, *sums)
        return sums

    spans = in_spans(r.size, moments)
    count, total, squares = (sum(parts[1:], parts[0]) for parts in zip(*spans, strict=True))
    moderating = by_octave(count, total, squares, lam, r.size, FALSE_ALARMS)
    fine, coarse = ((f.unit_roundoff, f.smallest_normal) for f in map(float_format, (reading.reference, reading.dtype)))
    sides = (reading.torch64, reading.jax64, reading.torch, reading.jax, r, s)

    def ratios(start: int, stop: int) -> tuple[float, int, float, int, float, float, int]:
        most64, at64, most, at, bounds, sizes, known = -1.0, 0, -1.0, 0, 0.0, 0.0, 0
        for begin, parts in pieces(sides, start, stop, COPIED_PIECE):
            found = loops.ratios(*parts, ZERO, *moderating, fine, coarse, 2.0 * lam)
            if found[0] > most64:
                most64, at64 = found[0], begin + found[1]
            if found[2] > most:
                most, at = found[2], begin + found[3]
            bounds, sizes, known = bounds + found[4], sizes + found[5], known + found[6]
        return most64, at64, most, at, bounds, sizes, known

    found = in_spans(r.size, ratios)
    # Of equal ratios the first place counts, as `max` has it.
    most64, most = max(found, key=lambda f: f[0]), max(found, key=lambda f: f[2])
    size = math.sqrt(sum(f[5] for f in found) / max(sum(f[6] for f in found), 1))
    allowed = math.sqrt(sum(f[4] for f in found) / r.size)
    return (
        *_placed(most64[0], most64[1], r.shape),
        *_placed(most[2], most[3], r.shape),
        relative(allowed, size),
    )
