"""Running totals of a comparison, and the plain way to add to them: every element widened to float64."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from parity.numerics.dtypes import FloatFormat
from parity.numerics.steps import steps_between, to_float64

HISTOGRAM_BINS = 64  # log2 of the distance in units in the last place, 0 to 63
POSITIONS = 5  # first mismatches of NaN and infinity that are kept
NEAR = 10  # bits of a distance up to which each power of two is counted for itself
LEAST_SQUARE = 2.0**-970  # of an element: a sum of smaller squares has lost what lies below the smallest number
PIECE = 8192  # elements; some twenty float64 arrays of this size live at once


@dataclass
class Totals:
    """Statistics of the elements seen so far; flat positions. The names are those of Errors, which explains them.

    `finite` counts elements that are finite on both sides, `judged` those whose reference is finite too.
    """

    form: FloatFormat
    count: int = 0
    bit_equal: int = 0
    finite: int = 0
    judged: int = 0
    norm: float = 0.0
    sum: float = 0.0
    max_abs: float = -1.0
    at: int = 0
    max_rel: float = 0.0
    rel_at: int | None = None
    max_ulp: float = 0.0
    ulp_at: int | None = None
    left_error: float = 0.0
    right_error: float = 0.0
    left_norm: float = 0.0
    right_norm: float = 0.0
    left_sum: float = 0.0
    right_sum: float = 0.0
    nan_left: int = 0
    nan_right: int = 0
    inf: int = 0
    flushed: int = 0
    mismatches: list[int] = field(default_factory=list)
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(HISTOGRAM_BINS, np.int64))

    def add(
        self,
        left: np.ndarray,
        right: np.ndarray,
        reference: np.ndarray | None,
        start: int,
        names: tuple[str, str, str],
    ) -> None:
        """Add flat arrays of one length, whatever they hold.

        Args:
            left, right: Floating, integer or boolean arrays; bfloat16 as its bits.
            reference: The same, or None for `left`.
            start: Flat position of the first element.
            names: The three dtypes.
        """
        for lo in range(0, left.size, PIECE):
            part = slice(lo, lo + PIECE)
            a, b = left[part], right[part]
            l64, r64 = to_float64(a, names[0]), to_float64(b, names[1])
            integers = a.dtype.kind in "iub" and b.dtype.kind in "iub" and names[0] != "bfloat16" != names[1]
            exact = (l64 - r64) if not integers else _integer_difference(a, b)
            reference64 = l64 if reference is None else to_float64(reference[part], names[2])
            where = np.arange(start + lo, start + lo + a.size)
            keep = self._nonfinite(l64, r64, where)
            if keep is not None:
                l64, r64, reference64, exact, where = (x[keep] for x in (l64, r64, reference64, exact, where))
            if where.size:
                self._differences(exact, where)
                self._against(l64, r64, reference64, exact, where, own=reference is None)
                self.add_steps(l64, r64, where, _whole(exact) if integers else None)

    def _nonfinite(self, left: np.ndarray, right: np.ndarray, where: np.ndarray) -> np.ndarray | None:
        """Count NaN and infinities by position; the mask of the elements that have none, or None for all of them."""
        self.count += left.size
        keep = np.isfinite(left) & np.isfinite(right)
        if keep.all():
            return None
        nan_left, nan_right = np.isnan(left), np.isnan(right)
        same = (nan_left & nan_right) | (left == right)
        infinite = ~keep & ~nan_left & ~nan_right & ~same
        self.nan_left += int(np.count_nonzero(nan_left & ~nan_right))
        self.nan_right += int(np.count_nonzero(nan_right & ~nan_left))
        self.inf += int(np.count_nonzero(infinite))
        self.bit_equal += int(np.count_nonzero(~keep & same))
        room = POSITIONS - len(self.mismatches)
        self.mismatches += where[~keep & ~same][:room].tolist()
        return keep

    def _differences(self, difference: np.ndarray, where: np.ndarray) -> None:
        self.finite += difference.size
        self.sum += float(difference.sum())
        self.norm = math.hypot(self.norm, _norm(difference))
        self.bit_equal += int(np.count_nonzero(difference == 0.0))
        self.reach_abs(*_top(np.abs(difference), where))

    def _against(
        self,
        left: np.ndarray,
        right: np.ndarray,
        reference: np.ndarray,
        difference: np.ndarray,
        where: np.ndarray,
        *,
        own: bool,
    ) -> None:
        """Distances from the reference; with `own` the reference is the left side, and only ratios are left to do."""
        known = np.isfinite(reference)
        if not known.all():
            left, right, reference, difference, where = (x[known] for x in (left, right, reference, difference, where))
        self.judged += where.size
        if not own and where.size:
            from_left, from_right = left - reference, right - reference
            self.left_error = max(self.left_error, float(np.abs(from_left).max()))
            self.right_error = max(self.right_error, float(np.abs(from_right).max()))
            self.left_norm = math.hypot(self.left_norm, _norm(from_left))
            self.right_norm = math.hypot(self.right_norm, _norm(from_right))
            self.left_sum += float(from_left.sum())
            self.right_sum += float(from_right.sum())
        size = np.maximum(np.abs(reference), self.form.smallest_normal)
        ratio = np.where(reference != 0.0, np.abs(difference) / size, 0.0)
        if ratio.size:
            self.reach_rel(*_top(ratio, where))

    def add_steps(self, left: np.ndarray, right: np.ndarray, where: np.ndarray, steps: np.ndarray | None) -> None:
        """Add the distances in units in the last place of finite float64 values, or those that are given."""
        if steps is None:
            steps = steps_between(left, right, self.form)
            zeros = (left == 0.0) | (right == 0.0)
            if zeros.any():
                larger = np.maximum(np.abs(left[zeros]), np.abs(right[zeros]))
                self.flushed += int(np.count_nonzero((larger > 0.0) & (larger < self.form.smallest_normal)))
        at = int(steps.argmax())
        self.reach_ulp(float(steps[at]), int(where[at]))
        self._count(steps, int(steps[at]))

    def _count(self, steps: np.ndarray, largest: int) -> None:
        """Add distances to the histogram."""
        if largest < 1 << NEAR:
            # Rounding is a few steps: as many comparisons are quicker than logarithms.
            least = [int(np.count_nonzero(steps >= 1 << power)) for power in range(1, largest.bit_length())]
            for power, (more, further) in enumerate(pairwise([steps.size, *least, 0])):
                self.histogram[power] += more - further
            return
        # From 2^53 on float64 would round a count up to the next power of two.
        long = steps >> np.uint64(53) > 0
        exponent = np.frexp(np.where(long, steps >> np.uint64(11), steps).astype(np.float64))[1] + 11 * long
        bins = np.clip(exponent - 1, 0, HISTOGRAM_BINS - 1)
        self.histogram += np.bincount(bins, minlength=HISTOGRAM_BINS)

    def reach_abs(self, value: float, at: int) -> None:
        if value > self.max_abs:
            self.max_abs, self.at = value, at

    def reach_rel(self, value: float, at: int) -> None:
        if value > self.max_rel:
            self.max_rel, self.rel_at = value, at

    def reach_ulp(self, value: float, at: int) -> None:
        if value > self.max_ulp:
            self.max_ulp, self.ulp_at = value, at

    def merge(self, later: "Totals") -> None:
        """Add the totals of the elements that come after these."""
        for name in ("count", "bit_equal", "finite", "judged", "nan_left", "nan_right", "inf", "flushed", "histogram"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for name in ("sum", "left_sum", "right_sum"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for name in ("norm", "left_norm", "right_norm"):
            setattr(self, name, math.hypot(getattr(self, name), getattr(later, name)))
        self.reach_abs(later.max_abs, later.at)
        self.reach_rel(later.max_rel, later.rel_at or 0)
        self.reach_ulp(later.max_ulp, later.ulp_at or 0)
        self.left_error = max(self.left_error, later.left_error)
        self.right_error = max(self.right_error, later.right_error)
        self.mismatches = (self.mismatches + later.mismatches)[:POSITIONS]


def _norm(values: np.ndarray) -> float:
    """Euclidean norm, also where the squares are past the largest number or below the smallest."""
    square = float(np.dot(values, values))
    if values.size * LEAST_SQUARE <= square < math.inf:
        return math.sqrt(square)
    largest = float(np.abs(values).max())
    if largest == 0.0 or math.isinf(largest):
        return largest
    scaled = values / largest
    return largest * math.sqrt(float(np.dot(scaled, scaled)))


def _top(values: np.ndarray, where: np.ndarray) -> tuple[float, int]:
    at = int(values.argmax())
    return float(values[at]), int(where[at])


def _whole(difference: np.ndarray) -> np.ndarray:
    """|difference| as uint64; the largest, 2^64 - 1, has become 2^64 as float64."""
    return np.minimum(np.abs(difference), np.nextafter(2.0**64, 0.0)).astype(np.uint64)


def _integer_difference(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left - right as float64, zero only where they are equal: beyond 2^53 neighbours would round to one number."""
    if left.dtype.kind == "b" or right.dtype.kind == "b" or left.dtype != right.dtype or left.dtype.itemsize < 8:
        return left.astype(np.float64) - right.astype(np.float64)
    low, high = np.minimum(left, right), np.maximum(left, right)
    return np.where(left < right, -1.0, 1.0) * (high.view(np.uint64) - low.view(np.uint64)).astype(np.float64)
