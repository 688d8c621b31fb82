"""How far two arrays are apart: every statistic of a finding, in one pass over the data and in constant memory."""

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.numerics.chunks import COMPILED, in_spans, pieces
from parity.numerics.concentration import concentration
from parity.numerics.dtypes import FORMATS, float_format
from parity.numerics.totals import PIECE, Totals

Position = tuple[int, ...]

COPIED_PIECE = 1 << 17  # elements: buffers for both sides of both threads are 4 MB at float64


@dataclass(frozen=True)
class Errors:
    """The distance of `left` from `right`.

    Counts, positions, histogram and max_ulp are exact. Sums are good to one part in a million of the root mean square,
    and so is max_rel; max_abs is exact where the two values are within a factor of two of each other, else good to
    1e-7. All is exact, but for the rounding of float64, below COMPILED elements.

    Attributes:
        count: Number of elements compared.
        bit_equal: How many are equal, or NaN or the same infinity on both sides; the two zeros are equal.
        max_abs: Largest absolute difference of the finite elements; 0.0 where there is none.
        max_rel: Largest |left - right| / |reference| of the finite elements with a non-zero reference; a reference
            below the smallest normal number of the format counts as that number.
        max_ulp: Largest distance in units in the last place: steps from one number of the format to the next that lead
            from left to right. For integers, the difference.
        index: Where max_abs is reached, as an index of the array; () for a scalar, None for an empty array.
        left, right, reference: The three values there.
        rms: Root mean square of the differences of the finite elements.
        bias: Their mean, with its sign: rounding has none, a different formula mostly has one.
        left_error, right_error: Largest distance of each side from the reference.
        nan_left_only, nan_right_only: NaN on one side only.
        inf_mismatch: An infinity against another value.
        first_nonfinite: First index of such a mismatch, or None.
        ulp_histogram: Counts of the finite elements by log2 of the distance in units in the last place; [0] holds
            distances below 2.
        left_rms, right_rms: Root mean square distance of each side from the reference.
        left_bias, right_bias: Mean of each side less the reference.
        flushed: Elements where one side is exactly zero and the other subnormal at the format.
        first_positions: Up to five first indices of mismatching NaN or infinities.
        rel_index, ulp_index: Where max_rel and max_ulp are reached; None where they are 0.
        concentration: Axis, index along it and share of the sum of squares, where one slice has most of it; None where
            none has, or where that was not asked for.
    """

    count: int
    bit_equal: int
    max_abs: float
    max_rel: float
    max_ulp: float
    index: Position | None
    left: float
    right: float
    reference: float
    rms: float
    bias: float
    left_error: float
    right_error: float
    nan_left_only: int = 0
    nan_right_only: int = 0
    inf_mismatch: int = 0
    first_nonfinite: Position | None = None
    ulp_histogram: tuple[int, ...] = field(default=(), repr=False)
    left_rms: float = 0.0
    right_rms: float = 0.0
    left_bias: float = 0.0
    right_bias: float = 0.0
    flushed: int = 0
    first_positions: tuple[Position, ...] = ()
    rel_index: Position | None = None
    ulp_index: Position | None = None
    concentration: tuple[int, int, float] | None = None

    @property
    def nonfinite_mismatch(self) -> int:
        """Elements where NaN or an infinity stands on one side only."""
        return self.nan_left_only + self.nan_right_only + self.inf_mismatch


def errors(
    left: np.ndarray,
    right: np.ndarray,
    reference: np.ndarray | None = None,
    *,
    dtype: str | None = None,
    where: bool = False,
) -> Errors:
    """Compare two arrays element by element.

    The arrays are read once, a piece at a time, in any layout; the extra memory does not depend on their size. From a
    million elements on the cores share the work, and from half a million on two sides of one floating dtype (with a
    reference: float32 or float64, and it float64) go through a compiled loop where numba is installed (extra `fast`),
    which is many times faster than what is widened to float64. It is compiled once for each format, in some three
    seconds, and then read from disk.

    Args:
        left: Floating, integer or boolean array of any shape; bfloat16 is known by its name.
        right: Array of the same shape.
        reference: What both should be, of the same shape; `left` where not given.
        dtype: The format whose unit in the last place is meant; the dtype of `left` where not given.
        where: Whether to look, in a second pass, for the one slice along an axis that has most of the error.

    Returns:
        The Errors.

    Raises:
        ValueError: If the shapes differ, or for a dtype that is none of these.

    Examples:
        >>> e = errors(np.float32([1.0, 2.0]), np.float32([1.0, 2.0000002]))
        >>> e.bit_equal, e.index, e.max_ulp
        (1, (1,), 1.0)
    """
    left, right = np.asarray(left), np.asarray(right)
    reference = None if reference is None or reference is left else np.asarray(reference)
    given = (left, right) if reference is None else (left, right, reference)
    if any(a.shape != left.shape for a in given):
        shapes = f"{left.shape}, {right.shape}, {(left if reference is None else reference).shape}"
        raise ValueError(f"errors: left, right and reference differ in shape: {shapes}; compare names and shapes first")
    names = (left.dtype.name, right.dtype.name, given[-1].dtype.name)
    form = float_format(dtype or (names[0] if left.dtype.kind not in "iub" else "float64"))
    for side, name in zip(given, names, strict=False):
        if name not in FORMATS and side.dtype.kind not in "iub":
            raise ValueError(f"errors: got an array of {name}, wanted {', '.join(FORMATS)}, integers or booleans")
    read = tuple(a.view(np.uint16) if a.dtype.name == "bfloat16" else a for a in given)
    quick = names[0] == names[1] == form.name and left.size >= COMPILED
    own = reference is None
    compiled = compiled_loops() if quick and (own or (form.bits >= 32 and names[2] == "float64")) else None

    def span(start: int, stop: int) -> Totals:
        total = Totals(form)
        # inf - inf, a square past the largest number: both are looked for, and counted apart.
        with np.errstate(all="ignore"):
            if compiled is not None:
                copied = not all(a.flags.c_contiguous for a in read)
                add = compiled.add if own else compiled.add_against
                for at, parts in pieces(read, start, stop, COPIED_PIECE if copied else stop - start):
                    add(total, *parts, at)
            else:
                for at, parts in pieces(read, start, stop, PIECE):
                    total.add(parts[0], parts[1], None if own else parts[2], at, names)
        return total

    total, *others = in_spans(left.size, span)
    for other in others:
        total.merge(other)
    slice_ = concentration(read, names, total.max_abs) if where else None
    return _result(total, left, right, reference, slice_)


@functools.cache
def compiled_loops() -> Any:
    """The module `kernel`; None where numba is not installed, or has no place to keep what it compiles."""
    try:
        from parity.numerics import kernel
    except (ImportError, RuntimeError):
        return None
    return kernel


def _result(
    total: Totals,
    left: np.ndarray,
    right: np.ndarray,
    reference: np.ndarray | None,
    most: tuple[int, int, float] | None,
) -> Errors:
    def position(flat: int | None) -> Position | None:
        return None if flat is None else tuple(int(i) for i in np.unravel_index(flat, left.shape))

    def mean(value: float, count: int) -> float:
        return value / count if count else 0.0

    index = position(total.at) if left.size else None
    middle = left if reference is None else reference
    at = (left[index], right[index], middle[index]) if index is not None else (math.nan,) * 3
    largest = max(total.max_abs, 0.0)
    rms = total.norm / math.sqrt(total.finite or 1)
    bias = mean(total.sum, total.finite)
    root = math.sqrt(total.judged or 1)
    own = reference is None
    return Errors(
        count=total.count,
        bit_equal=total.bit_equal,
        max_abs=largest,
        max_rel=total.max_rel,
        max_ulp=total.max_ulp,
        index=index,
        left=float(at[0]),
        right=float(at[1]),
        reference=float(at[2]),
        rms=rms,
        bias=bias,
        left_error=total.left_error,
        right_error=largest if own else total.right_error,
        nan_left_only=total.nan_left,
        nan_right_only=total.nan_right,
        inf_mismatch=total.inf,
        first_nonfinite=position(total.mismatches[0]) if total.mismatches else None,
        ulp_histogram=tuple(int(n) for n in total.histogram),
        left_rms=total.left_norm / root,
        right_rms=rms if own else total.right_norm / root,
        left_bias=mean(total.left_sum, total.judged),
        right_bias=-bias if own else mean(total.right_sum, total.judged),
        flushed=total.flushed,
        first_positions=tuple(p for p in map(position, total.mismatches) if p is not None),
        rel_index=position(total.rel_at),
        ulp_index=position(total.ulp_at),
        concentration=most,
    )
