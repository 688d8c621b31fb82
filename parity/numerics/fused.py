"""Compiled loops over all arrays of a reading at once, where each step in NumPy would be a pass of its own.

Needs numba (extra `fast`). What they compute is in `moderation`, `reading`, `bounds` and `totals`, step by step and in
the same order of operations, so that bounds come out bit for bit where their prior does.
"""

import math
from typing import Any

import numba
import numpy as np

SIGN_LESS = np.int64(0x7FFFFFFFFFFFFFFF)
NORMAL, BIAS = 52, 1022  # bits below the exponent of a float64; frexp's exponent is the stored one less this


@numba.njit(nogil=True, error_model="numpy", cache=True)
def moments(s: Any, r: Any, zero: int, count: Any, total: Any, squares: Any) -> None:
    """Add to each octave of r how many elements a run moved, and the sum and the squares of log s^2.

    Args:
        s, r: Flat arrays, float64.
        zero: The octave of zero, below all others.
        count, total, squares: What to add to, by octave above that.
    """
    bits = r.view(np.int64)
    for i in range(s.size):
        if not (0.0 < s[i] < np.inf and abs(r[i]) < np.inf):
            continue
        octave = _octave(r[i], bits[i], zero)
        log = 2.0 * math.log(s[i])
        count[octave] += 1.0
        total[octave] += log
        squares[octave] += log * log


@numba.njit(inline="always")
def _octave(value: Any, bits: Any, zero: int) -> Any:
    stored = (bits & SIGN_LESS) >> NORMAL
    if stored > 0:
        return stored - BIAS - zero
    return 0 if value == 0.0 else math.frexp(value)[1] - zero


@numba.njit(nogil=True, error_model="numpy", cache=True)
def ratios(
    torch64: Any,
    jax64: Any,
    torch: Any,
    jax: Any,
    r: Any,
    s: Any,
    zero: int,
    own: Any,
    shared: Any,
    width: Any,
    fine: tuple[float, float],
    coarse: tuple[float, float],
    factor: float,
) -> tuple[float, int, float, int, float, float, int]:
    """Largest difference in units of its bound, at both precisions; bounds from moderated sensitivities.

    Args:
        torch64, jax64, torch, jax, r, s: Flat arrays of one length.
        zero: As for `moments`.
        own, shared, width: By octave: 1 - d_0 / (d_0 + 7), d_0 s_0^2 / (d_0 + 7), tau / lambda.
        fine, coarse: Unit roundoff and smallest normal number of the reference and of the working dtype.
        factor: 2 lambda.

    Returns:
        (ratio and place at the reference's precision, the same at the working dtype, sum of squares of the reference's
        bounds, the same of the finite r, and how many these are); a ratio of -1 where no element is finite on both.
    """
    bits = r.view(np.int64)
    most64, at64, most, at = -1.0, 0, -1.0, 0
    limits, sizes, known = 0.0, 0.0, 0
    for i in range(r.size):
        size, sensitivity = abs(r[i]), s[i]
        if size < np.inf:
            sizes += size * size
            known += 1
            if 0.0 < sensitivity < np.inf:
                k = _octave(r[i], bits[i], zero)
                s_tilde = math.sqrt(shared[k] + own[k] * sensitivity * sensitivity)
                sensitivity = max(sensitivity, width[k] * s_tilde)
        whole = size + sensitivity
        limit64 = (whole * fine[0] + fine[1]) * factor
        limit = (whole * coarse[0] + coarse[1]) * factor
        limits += limit64 * limit64
        a, b = np.float64(torch64[i]), np.float64(jax64[i])
        if abs(a) < np.inf and abs(b) < np.inf:
            ratio = _ratio(abs(a - b), limit64)
            if ratio > most64:
                most64, at64 = ratio, i
        a, b = np.float64(torch[i]), np.float64(jax[i])
        if abs(a) < np.inf and abs(b) < np.inf:
            ratio = _ratio(abs(a - b), limit)
            if ratio > most:
                most, at = ratio, i
    return most64, at64, most, at, limits, sizes, known


@numba.njit(inline="always")
def _ratio(distance: Any, limit: Any) -> Any:
    if distance == 0.0:
        return 0.0
    return np.inf if np.isnan(limit) else distance / limit


@numba.njit(nogil=True, error_model="numpy", cache=True)
def from_reference(left: Any, right: Any, reference: Any, smallest_normal: float) -> tuple[Any, ...]:
    """Distances of both sides from a reference.

    Args:
        left, right, reference: Flat arrays of one length.
        smallest_normal: Of the sides' format.

    Returns:
        For left, then for right: largest distance, sum of squares, sum; then the largest |left - right| by |reference|,
        and its place. A sum is not finite where an element is not.
    """
    left_most, left_square, left_sum, right_most, right_square, right_sum = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    ratio, at = -1.0, 0
    for i in range(reference.size):
        x, y, z = np.float64(left[i]), np.float64(right[i]), np.float64(reference[i])
        one, other = x - z, y - z
        left_most, right_most = max(left_most, abs(one)), max(right_most, abs(other))
        left_square += one * one
        right_square += other * other
        left_sum += one
        right_sum += other
        new = abs(x - y) / max(abs(z), smallest_normal) if z != 0.0 else 0.0
        if new > ratio:
            ratio, at = new, i
    return left_most, left_square, left_sum, right_most, right_square, right_sum, ratio, at
