"""How far two arrays are apart: every statistic of a finding, in one pass over the data and in constant memory."""

import math
from dataclasses import dataclass, field

import numpy as np

from parity.numerics.dtypes import FloatFormat, float_format

CHUNK = 32_768  # elements; three float64 buffers of this size stay in the second-level cache
HISTOGRAM_BINS = 64  # log2 of the distance in units in the last place, 0 to 63


@dataclass(frozen=True)
class Errors:
    """The distance of `left` from `right`.

    Attributes:
        count: Number of elements compared.
        bit_equal: How many are equal, or NaN or the same infinity on both sides.
        max_abs: Largest absolute difference of the finite elements; 0.0 where there is none.
        max_rel: Largest |left - right| / |reference| of the finite elements with a non-zero reference.
        max_ulp: Largest difference in units in the last place of the reference, at the compared dtype.
        index: Where max_abs is reached, as an index of the array; () for a scalar, None for an empty array.
        left, right, reference: The three values there.
        rms: Root mean square of the differences of the finite elements.
        bias: Their mean, with its sign: rounding has none, a different formula mostly has one.
        left_error, right_error: Largest distance of each side from the reference.
        nan_left_only, nan_right_only: NaN on one side only.
        inf_mismatch: An infinity against another value.
        first_nonfinite: First index of such a mismatch, or None.
        ulp_histogram: Counts by log2 of the distance in units in the last place; [0] holds distances below 2.
    """

    count: int
    bit_equal: int
    max_abs: float
    max_rel: float
    max_ulp: float
    index: tuple[int, ...] | None
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
    first_nonfinite: tuple[int, ...] | None = None
    ulp_histogram: tuple[int, ...] = field(default=(), repr=False)

    @property
    def nonfinite_mismatch(self) -> int:
        """Elements where NaN or an infinity stands on one side only."""
        return self.nan_left_only + self.nan_right_only + self.inf_mismatch


def errors(
    left: np.ndarray, right: np.ndarray, reference: np.ndarray | None = None, *, dtype: str | None = None
) -> Errors:
    """Compare two arrays element by element.

    The arrays are read once, in chunks of 32,768 elements that are widened to float64 in buffers made beforehand, so
    the extra memory does not depend on their size. Chunks that are equal bit by bit cost no more than the reading.

    Args:
        left: Floating, integer or boolean array of any shape.
        right: Array of the same shape.
        reference: What both should be, of the same shape; `left` where not given.
        dtype: The format whose unit in the last place is meant; the dtype of `left` where not given.

    Returns:
        The Errors.

    Raises:
        ValueError: If the shapes differ.

    Examples:
        >>> e = errors(np.float32([1.0, 2.0]), np.float32([1.0, 2.0000002]))
        >>> e.bit_equal, e.index, e.max_ulp
        (1, (1,), 1.0)
    """
    left, right = np.asarray(left), np.asarray(right)
    reference = left if reference is None else np.asarray(reference)
    if not left.shape == right.shape == reference.shape:
        raise ValueError(
            f"errors: left, right and reference differ in shape: {left.shape}, {right.shape}, {reference.shape}; "
            "compare names and shapes first"
        )
    form = float_format(dtype or (left.dtype.name if left.dtype.kind == "f" else "float64"))
    total = _Total(form)
    flat_left, flat_right, flat_reference = left.reshape(-1), right.reshape(-1), reference.reshape(-1)
    buffers = np.empty((4, min(CHUNK, max(left.size, 1))))
    # inf - inf, a square past the largest number: the sums show it, and the chunk takes the slower path.
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, left.size, CHUNK):
            stop = min(start + CHUNK, left.size)
            part = slice(start, stop)
            total.add(flat_left[part], flat_right[part], flat_reference[part], start, buffers[:, : stop - start])
    return total.result(left, right, reference)


class _Total:
    """Running totals of `errors` over the chunks."""

    def __init__(self, form: FloatFormat) -> None:
        self.form = form
        self.count = self.bit_equal = 0
        self.max_abs, self.max_rel, self.max_ulp = -1.0, 0.0, 0.0
        self.at = 0
        self.squares = self.sum = 0.0
        self.finite = 0
        self.left_error = self.right_error = 0.0
        self.nan_left = self.nan_right = self.inf = 0
        self.first_nonfinite: int | None = None
        self.histogram = np.zeros(HISTOGRAM_BINS, np.int64)

    def add(self, left: np.ndarray, right: np.ndarray, reference: np.ndarray, start: int, buffers: np.ndarray) -> None:
        self.count += left.size
        difference, scale, work, wide = buffers
        wide[:] = left
        difference[:] = right
        np.subtract(wide, difference, out=difference)
        squares = float(np.dot(difference, difference))
        if math.isfinite(squares):
            self._add_finite(difference, wide, right, reference, start, scale, work, squares)
        else:
            self._add_nonfinite(left, right, reference, start)

    def _add_finite(
        self,
        difference: np.ndarray,
        left: np.ndarray,
        right: np.ndarray,
        reference: np.ndarray,
        start: int,
        scale: np.ndarray,
        work: np.ndarray,
        squares: float,
    ) -> None:
        self.finite += difference.size
        self.squares += squares
        self.sum += float(difference.sum())
        scale[:] = reference
        np.subtract(left, scale, out=work)
        self.left_error = max(self.left_error, float(np.abs(work, out=work).max()))
        np.subtract(right, scale, out=work)
        self.right_error = max(self.right_error, float(np.abs(work, out=work).max()))
        np.abs(difference, out=work)
        if squares == 0.0 and not work.any():
            self.bit_equal += difference.size
            self.histogram[0] += difference.size
            if self.max_abs < 0.0:
                self.max_abs, self.at = 0.0, start
            return
        at = int(work.argmax())
        if work[at] > self.max_abs:
            self.max_abs, self.at = float(work[at]), start + at
        self.bit_equal += difference.size - int(np.count_nonzero(work))
        np.abs(scale, out=scale)
        nonzero = scale > 0.0
        if nonzero.any():
            self.max_rel = max(self.max_rel, float((work[nonzero] / scale[nonzero]).max()))
        np.maximum(scale, self.form.smallest_normal, out=scale)
        exponent = np.frexp(scale)[1] - (1 + self.form.mantissa_bits)
        ulps = np.ldexp(work, -exponent)
        self.max_ulp = max(self.max_ulp, float(ulps.max()))
        bins = np.clip(np.frexp(ulps)[1] - 1, 0, HISTOGRAM_BINS - 1)
        self.histogram += np.bincount(bins, minlength=HISTOGRAM_BINS)

    def _add_nonfinite(self, left: np.ndarray, right: np.ndarray, reference: np.ndarray, start: int) -> None:
        left64, right64, reference64 = (np.asarray(a, np.float64) for a in (left, right, reference))
        nan_left, nan_right = np.isnan(left64), np.isnan(right64)
        inf = np.isinf(left64) | np.isinf(right64)
        bad_inf = inf & ~nan_left & ~nan_right & (left64 != right64)
        self.nan_left += int(np.count_nonzero(nan_left & ~nan_right))
        self.nan_right += int(np.count_nonzero(nan_right & ~nan_left))
        self.inf += int(np.count_nonzero(bad_inf))
        mismatch = (nan_left ^ nan_right) | bad_inf
        if self.first_nonfinite is None and mismatch.any():
            self.first_nonfinite = start + int(mismatch.argmax())
        self.bit_equal += int(np.count_nonzero((nan_left & nan_right) | (inf & (left64 == right64))))
        finite = np.flatnonzero(~(nan_left | nan_right | inf | ~np.isfinite(reference64)))
        if finite.size == 0:
            return
        # The finite elements of a chunk that has others; positions are mapped back after the shared path has run.
        part = _Total(self.form)
        a, b, r = left64[finite], right64[finite], reference64[finite]
        difference = a - b
        squares = float(np.dot(difference, difference))
        part._add_finite(difference, a, b, r, 0, np.empty_like(a), np.empty_like(a), squares)
        if part.max_abs > self.max_abs:
            self.max_abs, self.at = part.max_abs, start + int(finite[part.at])
        self.bit_equal += part.bit_equal
        self.finite += part.finite
        self.squares += part.squares
        self.sum += part.sum
        self.max_rel, self.max_ulp = max(self.max_rel, part.max_rel), max(self.max_ulp, part.max_ulp)
        self.left_error, self.right_error = (
            max(self.left_error, part.left_error),
            max(self.right_error, part.right_error),
        )
        self.histogram += part.histogram

    def result(self, left: np.ndarray, right: np.ndarray, reference: np.ndarray) -> Errors:
        def position(flat: int) -> tuple[int, ...]:
            return tuple(int(i) for i in np.unravel_index(flat, left.shape))

        index = position(self.at) if left.size else None
        at = (left[index], right[index], reference[index]) if index is not None else (math.nan,) * 3
        return Errors(
            count=self.count,
            bit_equal=self.bit_equal,
            max_abs=max(self.max_abs, 0.0),
            max_rel=self.max_rel,
            max_ulp=self.max_ulp,
            index=index,
            left=float(at[0]),
            right=float(at[1]),
            reference=float(at[2]),
            rms=math.sqrt(self.squares / self.finite) if self.finite else 0.0,
            bias=self.sum / self.finite if self.finite else 0.0,
            left_error=self.left_error,
            right_error=self.right_error,
            nan_left_only=self.nan_left,
            nan_right_only=self.nan_right,
            inf_mismatch=self.inf,
            first_nonfinite=None if self.first_nonfinite is None else position(self.first_nonfinite),
            ulp_histogram=tuple(int(n) for n in self.histogram),
        )
