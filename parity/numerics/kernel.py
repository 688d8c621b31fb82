"""The quick way to add to the totals: a compiled loop over two sides of one floating dtype. Needs numba (extra `fast`).

A block is read twice while it lies in the first cache: as floats for sums and maxima, as integers for distances in
units in the last place. Both loops are free of branches, so that the compiler makes vectors of them. What is rare is
looked at again, block by block: a new maximum and its place, distances of four units and more, zeros and subnormal
numbers, squares that overflow or vanish. A block with NaN or infinities is left to Totals.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from parity.numerics.dtypes import FORMATS
from parity.numerics.fused import from_reference, moments, ratios
from parity.numerics.totals import HISTOGRAM_BINS, LEAST_SQUARE, PIECE, Totals

__all__ = ["add", "add_against", "blocks", "moments", "ratios"]

BLOCK = 1024  # elements: both sides lie in the first cache, and float32 sums no more than a 16th of them in a row
ORDER_OF_SUMS = {"reassoc", "nsz", "contract"}  # of all that "fast math" means: NaN and infinities keep their meaning
SPAN = 1 << 15  # elements of a reference's piece: the three arrays lie in the second cache
SPARE = 1.0 - 2.0**-20  # max_rel may be low by this part, or blocks of ties would be divided again and again


def add(total: Totals, left: np.ndarray, right: np.ndarray, start: int) -> None:
    """Add flat arrays of the format of the totals, 16-bit formats as their bits.

    Args:
        total: What to add to.
        left, right: Arrays of one length.
        start: Flat position of the first element.
    """
    name = total.form.name
    integer = np.dtype(f"i{total.form.bits // 8}")
    one, other = left.view(integer), right.view(integer)
    at = 0
    while at < left.size:
        read, equal, histogram, flushed, norm, whole, top, top_at, ratio, ratio_at, far, far_at = blocks(name)(
            one[at:], other[at:], total.max_abs, total.max_rel
        )
        total.count += read
        total.finite += read
        total.judged += read
        total.bit_equal += equal
        total.histogram += histogram
        total.flushed += flushed
        total.norm = math.hypot(total.norm, norm)
        total.sum += whole
        total.reach_abs(top, start + at + top_at)
        total.reach_rel(ratio, start + at + ratio_at)
        total.reach_ulp(float(far), start + at + far_at)
        at += read
        if at < left.size:
            total.add(left[at : at + PIECE], right[at : at + PIECE], None, start + at, (name,) * 3)
            at += PIECE


def add_against(total: Totals, left: np.ndarray, right: np.ndarray, reference: np.ndarray, start: int) -> None:
    """The same with a reference of float64; what is not finite, or whose squares are not, is left to Totals.

    Args:
        total: What to add to.
        left, right, reference: Arrays of one length; left and right of float32 or float64.
        start: Flat position of the first element.
    """
    name = total.form.name
    integer = np.dtype(f"i{total.form.bits // 8}")
    for lo in range(0, left.size, SPAN):
        part = slice(lo, lo + SPAN)
        a, b, c = left[part], right[part], reference[part]
        at = start + lo
        from_left, square, whole, from_right, other_square, other_whole, ratio, ratio_at = from_reference(
            a, b, c, total.form.smallest_normal
        )
        both = ((from_left, square), (from_right, other_square))
        if not all(most == 0.0 == sums or a.size * LEAST_SQUARE <= sums < math.inf for most, sums in both):
            total.add(a, b, c, at, (name, name, "float64"))
            continue
        read, equal, histogram, flushed, norm, sum_, top, top_at, _, _, far, far_at = blocks(name)(
            a.view(integer), b.view(integer), total.max_abs, math.inf
        )
        total.count += read
        total.finite += read
        total.judged += read
        total.bit_equal += equal
        total.histogram += histogram
        total.flushed += flushed
        total.norm = math.hypot(total.norm, norm)
        total.sum += sum_
        total.reach_abs(top, at + top_at)
        total.reach_rel(ratio, at + ratio_at)
        total.reach_ulp(float(far), at + far_at)
        total.left_error, total.right_error = max(total.left_error, from_left), max(total.right_error, from_right)
        total.left_norm = math.hypot(total.left_norm, math.sqrt(square))
        total.right_norm = math.hypot(total.right_norm, math.sqrt(other_square))
        total.left_sum += whole
        total.right_sum += other_whole


@functools.cache
def blocks(name: str) -> Callable[..., Any]:
    """The loop for a format; numba compiles it at its first call, and keeps what it compiled on disk.

    Args:
        name: The format.

    Returns:
        blocks(left, right, max_abs, max_rel) for the bits of both sides as integers, and the largest differences so
        far. It stops before a block with NaN or infinities. It gives: elements read, equal ones, histogram, flushed
        ones, norm and sum of the differences, and three times a maximum and its place.
    """
    form = FORMATS[name]
    wide = form.bits == 64
    integer: Any
    floating: Any
    integer, floating = (np.int64, np.float64) if wide else (np.int32, np.float32)
    stored, unsigned = getattr(np, f"int{form.bits}"), getattr(np, f"uint{form.bits}")
    magnitude, sign_to_end = stored(2 ** (form.bits - 1) - 1), stored(form.bits - 1)
    infinity = stored((2 ** (form.bits - 1 - form.mantissa_bits) - 1) << form.mantissa_bits)
    tiny, smallest_normal = stored(1 << form.mantissa_bits), form.smallest_normal
    all_but_sign = integer(2 ** (63 if wide else 31) - 1)
    between, scale = np.int32(-0x70002000), np.float32(2.0**112)
    # Each square that underflows is off by less than half the smallest number; so small a sum is not to be trusted.
    least_square = float(np.finfo(floating).smallest_normal)

    # Inner functions, since numba keeps on disk no function that refers to another one that was made here.
    @numba.njit(nogil=True, error_model="numpy", cache=True, fastmath=ORDER_OF_SUMS)
    def all_blocks(lefts, rights, max_abs, max_rel):  # type: ignore[no-untyped-def]
        def value(bits):  # type: ignore[no-untyped-def]
            if name == "bfloat16":
                return integer(integer(bits) << integer(16)).view(np.float32)
            if name == "float16":
                # The sign is copied into the bits between it and the exponent, which is 112 too small.
                return np.float32(integer(integer(integer(bits) << integer(13)) & between).view(np.float32) * scale)
            return integer(bits).view(floating)

        def key(bits):  # type: ignore[no-untyped-def]  # numba infers the types
            """Integers in the order of the floats, one apart for neighbours; both zeros are 0."""
            sign = stored(bits >> sign_to_end)
            return stored(stored(stored(bits & magnitude) ^ sign) - sign)

        def distance(a, b):  # type: ignore[no-untyped-def]
            one, other = key(a), key(b)
            # Unsigned, since LLVM takes a signed difference of 64 bits for one that does not overflow.
            return unsigned(unsigned(max(one, other)) - unsigned(min(one, other)))

        def as_floats(left, right, inverse):  # type: ignore[no-untyped-def]
            """Sum of squares and sum, largest difference, and whether a ratio may pass the largest so far."""
            square, whole, top, over = floating(0), floating(0), integer(0), integer(0)
            for i in range(left.size):
                x = value(integer(left[i]))
                difference = floating(x - value(integer(right[i])))
                square += difference * difference
                whole += difference
                apart = integer(difference.view(integer) & all_but_sign)
                top = integer(max(top, apart))
                over = integer(over | integer(apart.view(floating) * inverse > abs(x)))
            return square, whole, integer(top).view(floating), over != 0

        def as_integers(left, right):  # type: ignore[no-untyped-def]
            """Largest distance, how many are 0 and below 2, least magnitude on the left, largest magnitude of both."""
            far, equal, below_two, least, most = unsigned(0), stored(0), stored(0), magnitude, stored(0)
            for i in range(left.size):
                steps = distance(left[i], right[i])
                far = unsigned(max(far, steps))
                equal = stored(equal + stored(steps == unsigned(0)))
                below_two = stored(below_two + stored(steps < unsigned(2)))
                on_left, on_right = stored(left[i] & magnitude), stored(right[i] & magnitude)
                least = stored(min(least, on_left))
                most = stored(max(most, stored(max(on_left, on_right))))
            return far, equal, below_two, least, most

        def in_float64(left, right):  # type: ignore[no-untyped-def]
            """Largest difference, its place, Euclidean norm and sum, whatever their size."""
            top, at, whole = -1.0, 0, 0.0
            for i in range(left.size):
                difference = np.float64(value(integer(left[i]))) - np.float64(value(integer(right[i])))
                whole += difference
                if abs(difference) > top:
                    top, at = abs(difference), i
            square = 0.0
            if 0.0 < top < np.inf:
                for i in range(left.size):
                    difference = np.float64(value(integer(left[i]))) - np.float64(value(integer(right[i])))
                    square += (difference / top) ** 2
            return top, at, top * math.sqrt(square) if top < np.inf else top, whole

        def largest_ratio(left, right):  # type: ignore[no-untyped-def]
            ratio, at = -1.0, 0
            for i in range(left.size):
                x = np.float64(value(integer(left[i])))
                apart = abs(x - np.float64(value(integer(right[i]))))
                new = apart / max(abs(x), smallest_normal) if x != 0.0 else 0.0
                if new > ratio:
                    ratio, at = new, i
            return ratio, at

        def first_at(left, right, far):  # type: ignore[no-untyped-def]
            for i in range(left.size):
                if distance(left[i], right[i]) == far:
                    return i
            return 0

        def at_least(left, right, threshold):  # type: ignore[no-untyped-def]
            """How many are so far apart."""
            count = stored(0)
            for i in range(left.size):
                count = stored(count + stored(distance(left[i], right[i]) >= threshold))
            return count

        def zeros_against_subnormal(left, right):  # type: ignore[no-untyped-def]
            count = stored(0)
            for i in range(left.size):
                on_left, on_right = stored(left[i] & magnitude), stored(right[i] & magnitude)
                low, high = stored(min(on_left, on_right)), stored(max(on_left, on_right))
                count = stored(count + (stored(low == 0) & stored(high > 0) & stored(high < tiny)))
            return count

        histogram = np.zeros(HISTOGRAM_BINS, np.int64)
        equal, flushed, norm, whole, start = 0, 0, 0.0, 0.0, 0
        farthest, abs_at, rel_at, far_at = unsigned(0), 0, 0, 0
        while start < lefts.size:
            left, right = lefts[start : start + BLOCK], rights[start : start + BLOCK]
            far, same, below_two, least, most = as_integers(left, right)
            if most >= infinity:
                break
            inverse = floating(SPARE / max_rel) if max_rel > 0.0 else floating(np.inf)
            square, sum_, top, over = as_floats(left, right, inverse)
            if top > floating(max_abs) or not left.size * least_square <= square < np.inf:
                apart, at, norm_, sum_64 = in_float64(left, right)
                norm = math.hypot(norm, norm_)
                whole += sum_64
                if apart > max_abs:
                    max_abs, abs_at = apart, start + at
            else:
                norm = math.sqrt(norm * norm + square)
                whole += sum_
            equal += same
            histogram[0] += below_two
            remaining, threshold, power = left.size - below_two, unsigned(4), 1
            while remaining > 0:
                more = at_least(left, right, threshold) if unsigned(0) < threshold <= far else 0
                histogram[power] += remaining - more
                remaining, threshold, power = more, unsigned(threshold << unsigned(1)), power + 1
            if far > farthest:
                farthest, far_at = far, start + first_at(left, right, far)
            if far > unsigned(0) and least < tiny:
                flushed += zeros_against_subnormal(left, right)
            if over:
                ratio, at = largest_ratio(left, right)
                if ratio > max_rel:
                    max_rel, rel_at = ratio, start + at
            start += left.size
        return start, equal, histogram, flushed, norm, whole, max_abs, abs_at, max_rel, rel_at, farthest, far_at

    return all_blocks
