"""One tensor as four runs gave it, and the bound that two honest implementations of it stay within."""

import math
from dataclasses import dataclass

import numpy as np

from parity.numerics.dtypes import float_format
from parity.numerics.moderation import moderated
from parity.numerics.totals import LEAST_SQUARE

FALSE_ALARMS = 1e-6
"""The stated budget: probability that one comparison of an honest pair is called different."""


@dataclass(frozen=True)
class Reading:
    """One tensor of one name as four runs gave it: each side at float64 and at the working dtype.

    Attributes:
        torch64, jax64: Arrays of one shape from the float64 runs.
        torch, jax: The same from the runs at the working dtype, widened exactly where NumPy lacks it.
        dtype: Name of the working dtype.
        sensitivity: Root mean square change of this tensor per unit of relative error in every input and operation, of
            one shape with the arrays, measured at float64.
        coarse: The same for errors as large as the working dtype's unit roundoff, where that is larger than the step
            for `sensitivity`; the bound of the working dtype then rests on it.
        flips: For integers: where errors of one rounding at the working dtype changed them.
        ties: For integers: where errors of the size of float64's rounding led from torch's to JAX's.
        truth: r, where that is not `torch64`: the JAX side's float64 run, where torch has none.
        conditioning: The same as `sensitivity` for errors in the inputs alone; None where it was not measured.
        reference: The precision that the float64 runs really had, the lower of both.
        narrow: Why that is not float64: which operation of which side, and where.
        pairs: Whether the last axis holds the real and the imaginary part of one number.
        terms: Roundings on the longest path to this tensor.

    Examples:
        >>> y = np.array([0.1, 0.2])
        >>> Reading(y, y, y.astype("float32"), y.astype("float32"), "float32").r is y
        True
    """

    torch64: np.ndarray
    jax64: np.ndarray
    torch: np.ndarray
    jax: np.ndarray
    dtype: str
    sensitivity: np.ndarray | float = 0.0
    flips: np.ndarray | None = None
    ties: np.ndarray | None = None
    coarse: np.ndarray | None = None
    truth: np.ndarray | None = None
    conditioning: np.ndarray | None = None
    reference: str = "float64"
    narrow: str = ""
    pairs: bool = False
    terms: float = 1.0

    @property
    def r(self) -> np.ndarray:
        """The reference: torch's float64 run unless `truth` is given."""
        return self.torch64 if self.truth is None else self.truth


def confidence_factor(elements: int, false_alarms: float = FALSE_ALARMS) -> float:
    """lambda = sqrt(2 ln(2 N / delta)): how many standard deviations N sums of independent roundings stay within.

    Args:
        elements: N, the number of elements that are compared.
        false_alarms: delta, the probability that any one of them lies beyond.

    Returns:
        lambda, between 5 and 9 in practice.

    Examples:
        >>> round(confidence_factor(10_000), 1)
        6.9

    References:
        N. Higham and T. Mary, A New Approach to Probabilistic Rounding Error Analysis, 2019, theorem 2.4.
    """
    return math.sqrt(2.0 * math.log(2.0 * max(elements, 1) / false_alarms))


def bound(
    reference: np.ndarray, sensitivity: np.ndarray | float, dtype: str, lam: float, *, pairs: bool = False
) -> np.ndarray:
    """B_p = 2 lambda u_p s: what two honest implementations may differ by at a dtype.

    Args:
        reference: r, the float64 result, of any shape.
        sensitivity: Root mean square response to errors of relative size 1, of the same shape or a scalar.
        dtype: The format p.
        lam: The factor from `confidence_factor`.
        pairs: Whether the last axis holds two parts of complex numbers: either part then errs as their modulus does.

    Returns:
        The bound for each element, float64; s = |r| + sensitivity, and never below what the format can hold.

    Examples:
        >>> limit = bound(np.array([1.0, 0.0]), np.array([3.0, 4.0]), "float32", lam=6.0)
        >>> limit / (2 * 6.0 * 2**-24)  # in units of 2 lambda u: 1 + 3 and 0 + 4
        array([4., 4.])
    """
    form = float_format(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        s = np.asarray(np.abs(reference) + sensitivity, np.float64)
        if pairs:
            s = np.array(np.broadcast_to(np.hypot(s[..., :1], s[..., 1:]), s.shape))
        # In place: of a model's gradients a new array for each step would cost more than the steps.
        s *= form.unit_roundoff
        s += form.smallest_normal
        s *= 2.0 * lam
        return s


def limits(reading: Reading, lam: float) -> tuple[np.ndarray, np.ndarray]:
    """The bounds at the reference's precision and at the working dtype, from moderated sensitivities."""
    fine = _moderated(reading, reading.sensitivity, lam)
    coarse = fine if reading.coarse is None else _moderated(reading, reading.coarse, lam)
    return (
        bound(reading.r, fine, reading.reference, lam, pairs=reading.pairs),
        bound(reading.r, coarse, reading.dtype, lam, pairs=reading.pairs),
    )


def _moderated(reading: Reading, sensitivity: np.ndarray | float, lam: float) -> np.ndarray | float:
    if np.ndim(sensitivity) != reading.r.ndim or np.shape(sensitivity) != reading.r.shape:
        return sensitivity
    return moderated(np.asarray(sensitivity), reading.r, lam, reading.r.size, FALSE_ALARMS)


def rms(array: np.ndarray) -> float:
    """Root mean square of the finite elements; 0.0 where there are none."""
    if array.dtype == np.float64 and array.flags.c_contiguous and array.size:
        flat = array.reshape(-1)
        square = float(np.dot(flat, flat))  # one pass, where all are finite and no square is lost
        if flat.size * LEAST_SQUARE <= square < math.inf:
            return math.sqrt(square / flat.size)
    finite = array[np.isfinite(array)]
    return float(np.sqrt(np.mean(np.square(finite, dtype=np.float64)))) if finite.size else 0.0


def powerlessness(reading: Reading, limit: np.ndarray) -> str:
    """Why an error as large as the tensor itself would pass, or "" where it would be found.

    Args:
        reading: The four arrays.
        limit: The bound at the reference's precision.

    Returns:
        Half a sentence.
    """
    if reading.torch64.size == 0:
        return "empty on both sides: nothing in it can show a fault"
    if not smallest_error(reading, limit) >= 1.0:
        return ""
    if not np.isfinite(limit).all():
        return "one rounding takes it past all numbers: it has no bound, and no fault in it can show"
    if not reading.r.any():
        return "zero on both sides: no factor in it can show"
    return "zero but for rounding on both sides: no fault in it can show"


def smallest_error(reading: Reading, limit: np.ndarray) -> float:
    """Smallest relative error of the whole tensor that float64 would have found."""
    if reading.torch64.size == 0:
        return math.inf
    return relative(float(np.sqrt(np.mean(np.square(limit)))), rms(reading.r))


def relative(allowed: float, size: float) -> float:
    """An allowed error by the size of what it is an error of; NaN where either is unknown, infinite beside zero."""
    if not math.isfinite(size) or math.isnan(allowed):
        return math.nan
    return allowed / size if size > 0.0 else math.inf
