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
UNNUMBERED = 2047  # the exponent that infinities and NaN are stored with
BLOCK = 1024  # elements; what is made of them lies in the first cache


@numba.njit(nogil=True, error_model="numpy", cache=True)
def moments(s: Any, r: Any, zero: int, count: Any, total: Any, squares: Any) -> None:
    """Add to each octave of r how many elements a run moved, and the sum and the squares of log s^2.

    Args:
        s, r: Flat arrays, float64.
        zero: The octave of zero, below all others.
        count, total, squares: What to add to, by octave above that.
    """
    bits = r.view(np.int64)
    octaves, logs = np.empty(min(BLOCK, r.size), np.int64), np.empty(min(BLOCK, r.size))
    for start in range(0, r.size, BLOCK):
        block = slice(start, min(start + BLOCK, r.size))
        _octaves(r[block], bits[block], zero, octaves)
        _add_logs(s[block], r[block], octaves, logs, count, total, squares)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _add_logs(s: Any, r: Any, octaves: Any, logs: Any, count: Any, total: Any, squares: Any) -> None:
    for i in range(s.size):
        logs[i] = 2.0 * math.log(s[i])
    for i in range(s.size):
        moved = (s[i] > 0.0) & (s[i] < np.inf) & (abs(r[i]) < np.inf)
        octaves[i] = octaves[i] if moved else -1
    for i in range(s.size):
        octave, log = octaves[i], logs[i]
        if octave >= 0:
            count[octave] += 1.0
            total[octave] += log
            squares[octave] += log * log


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _octaves(r: Any, bits: Any, zero: int, octaves: Any) -> None:
    """The octave of each number above `zero`, whose own is 0; so is that of infinities and NaN, which have none."""
    subnormal = np.int64(0)
    for i in range(bits.size):
        magnitude = bits[i] & SIGN_LESS
        stored = magnitude >> NORMAL
        subnormal |= (stored - 1) & -magnitude  # its sign is set by what is stored as 0 and is none
        octaves[i] = stored - BIAS - zero if (stored > 0) & (stored < UNNUMBERED) else 0
    if subnormal < 0:
        for i in range(bits.size):
            if bits[i] & SIGN_LESS and (bits[i] & SIGN_LESS) >> NORMAL == 0:
                octaves[i] = math.frexp(r[i])[1] - zero


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

    A block at a time, in loops that the compiler makes vectors of; only a block with a difference near the largest so
    far, in units of its bound, is divided element by element.

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
    room = min(BLOCK, r.size)
    octaves, weight, prior, whole = np.empty(room, np.int64), np.empty(room), np.empty(room), np.empty(room)
    limit = np.empty(room)
    most64, at64, most, at = -1.0, 0, -1.0, 0
    limits, sizes, known = 0.0, 0.0, 0
    for start in range(0, r.size, BLOCK):
        stop = min(start + BLOCK, r.size)
        block, n = slice(start, stop), stop - start
        _octaves(r[block], bits[block], zero, octaves)
        for i in range(n):
            k = np.uint64(octaves[i])  # of an index with a sign numba asks whether it counts from the end
            weight[i], prior[i], whole[i] = own[k], shared[k], width[k]
        _moderated(r[block], s[block], weight, prior, whole)
        _limits(whole[:n], fine, factor, limit)
        for i in range(start, stop):
            size = abs(r[i])
            finite = size < np.inf
            sizes += size * size if finite else 0.0
            known += finite
            limits += limit[i - start] * limit[i - start]
        most64, at64 = _most(torch64[block], jax64[block], limit, start, most64, at64)
        _limits(whole[:n], coarse, factor, limit)
        most, at = _most(torch[block], jax[block], limit, start, most, at)
    return most64, at64, most, at, limits, sizes, known


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _moderated(r: Any, s: Any, weight: Any, prior: Any, whole: Any) -> None:
    """Put |r| + the moderated s into `whole`, which holds the widths."""
    for i in range(r.size):
        size, sensitivity = abs(r[i]), s[i]
        more = whole[i] * math.sqrt(prior[i] + weight[i] * sensitivity * sensitivity)
        raised = (sensitivity > 0.0) & (sensitivity < np.inf) & (size < np.inf) & (more > sensitivity)
        whole[i] = size + (more if raised else sensitivity)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _limits(whole: Any, precision: tuple[float, float], factor: float, limit: Any) -> None:
    unit, tiny = precision
    for i in range(whole.size):
        limit[i] = (whole[i] * unit + tiny) * factor


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _most(left: Any, right: Any, limit: Any, start: int, most: float, at: int) -> tuple[float, int]:
    """The largest |left - right| / limit of finite numbers and its place, where this block has one above `most`."""
    near, enough = most < 0.0, most * (1.0 - 2.0**-50)
    for i in range(left.size):
        distance = abs(np.float64(left[i]) - np.float64(right[i]))
        near |= (distance != 0.0) & (not (distance < enough * limit[i]))  # so is NaN, of a distance or of a limit
    if near:
        for i in range(left.size):
            a, b = np.float64(left[i]), np.float64(right[i])
            if abs(a) < np.inf and abs(b) < np.inf:
                ratio = _ratio(abs(a - b), limit[i])
                if ratio > most:
                    most, at = ratio, start + i
    return most, at


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
