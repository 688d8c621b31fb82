"""The rule: a bound from two precisions and a measured sensitivity, and the verdict that follows."""

import math
from dataclasses import dataclass, replace

import numpy as np

from parity.numerics.comparator import Errors, errors
from parity.numerics.dtypes import REFERENCE, float_format
from parity.numerics.sentences import gap, mismatch, nonfinite
from parity.numerics.verdict import Finding, Verdict

FALSE_ALARMS = 1e-6
"""The stated budget: probability that one comparison of an honest pair is called different."""

SLOPE = 2.0**10
"""How far above u_64 / u_p the ratio D_64 / D_p may lie and still count as rounding. Honest pairs were measured between
0.5 and 4.5 times that ratio, wrong formulas from 3e8 times on, so the factor has two decades and five to spare.

As an amplification it is the loss of ten bits, three digits: honest algorithms were measured up to 579 (a variance as
E[x^2] - E[x]^2 at mean 100), the tail of 1 + erf at 5e5."""

BETTER = 2.0**5
"""How many times closer to float64 the stable side must be before the other is called unstable."""


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
        ties: For integers: where errors of the size of float64's rounding changed them.
        truth: r, where that is not `torch64`: the JAX side's float64 run, where torch has none.
        conditioning: The same as `sensitivity` for errors in the inputs alone; None where it was not measured.
        reference: The precision that the float64 runs really had, the lower of both.
        narrow: Why that is not float64: which operation of which side, and where.
        pairs: Whether the last axis holds the real and the imaginary part of one number.
        terms: Roundings on the longest path to this tensor.
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
    """
    form = float_format(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        s = np.abs(reference) + sensitivity
        if pairs:
            s = np.broadcast_to(np.hypot(s[..., :1], s[..., 1:]), s.shape)
        return 2.0 * lam * (form.unit_roundoff * s + form.smallest_normal)


def judge(reading: Reading, *, stage: str, torch_path: str, jax_path: str, step: int | None = None) -> Finding:
    """Judge one tensor by what four runs of it gave.

    With D_p = torch_p - jax_p, r = torch_64, and B_p from `bound`:
    AGREE when D_64 <= B_64 and D_p <= B_p; SEMANTIC when D_64 is beyond its bound and does not shrink with precision;
    UNSTABLE when it is beyond and shrinks as rounding does, or when one side alone loses ten bits more than its inputs'
    rounding explains; PRECISION when only D_p is beyond. Integers and booleans are compared exactly, NaN and infinity
    by position.

    Args:
        reading: The four arrays and how sensitive they are.
        stage: Which part of the check this is.
        torch_path, jax_path: The tensor's names.
        step: The training step, or None.

    Returns:
        The Finding.

    Examples:
        >>> x = np.array([1.0, 2.0])
        >>> reading = Reading(x, x * (1 + 1e-6), x, x, dtype="float32")
        >>> judge(reading, stage="forward", torch_path="y", jax_path="y").verdict
        <Verdict.SEMANTIC: 'SEMANTIC'>
    """
    base = Finding(stage, torch_path, jax_path, Verdict.AGREE, "", reading.dtype, step, note=reading.narrow)
    if reading.torch64.dtype.kind != "f":
        return _judge_exact(reading, base)
    found = _judge_floating(reading, base)
    if found:
        return found
    # Where a difference lies takes a second pass, and matters only where there is one.
    worse64 = errors(reading.torch64, reading.jax64, where=True)
    worse = errors(reading.torch, reading.jax, reading.r, dtype=reading.dtype, where=True)
    return replace(found, errors64=worse64, errors=worse)


def _judge_floating(reading: Reading, base: Finding) -> Finding:
    errors64 = errors(reading.torch64, reading.jax64)
    errors_p = errors(reading.torch, reading.jax, reading.r, dtype=reading.dtype)
    lam = confidence_factor(reading.torch64.size)
    limit64, limit = _limits(reading, lam)
    ratio64, at64 = largest_ratio(reading.torch64, reading.jax64, limit64)
    ratio, at = largest_ratio(reading.torch, reading.jax, limit)
    rho = slope(errors64, errors_p)
    base = replace(
        base,
        ratio64=ratio64,
        ratio=ratio,
        rho=rho,
        errors64=errors64,
        errors=errors_p,
        at64=at64,
        at=at,
        lam=lam,
        false_alarms=FALSE_ALARMS,
        terms=reading.terms,
        power=_power(reading, limit64),
        reference=reading.reference,
    )
    if errors64.nonfinite_mismatch:
        return replace(base, verdict=Verdict.SEMANTIC, message=nonfinite(errors64, "float64"))
    if not ratio64 <= 1.0:
        if _shrinks(reading, rho):
            worse = _further(reading, at64)
            message = (
                f"the difference shrinks with precision (rho = {rho:.1e}), but is {ratio64:.1e} x the rounding bound: "
                f"one side amplifies rounding; {worse} is further from float64"
            )
            return replace(base, verdict=Verdict.UNSTABLE, message=message, worse=worse)
        shrinks = f"; does not shrink with precision (rho = {rho:.2g})" if reading.reference == "float64" else ""
        message = f"the formulas differ: {gap(reading.torch64, reading.jax64, at64, ratio64)}{shrinks}"
        return replace(base, verdict=Verdict.SEMANTIC, message=message)
    if errors_p.nonfinite_mismatch and not _overflows(reading, limit):
        return replace(base, verdict=Verdict.PRECISION, message=nonfinite(errors_p, reading.dtype))
    if not ratio <= 1.0:
        worse = _further(reading, at)
        what = f"float64 agrees, {reading.dtype} does not"
        if reading.dtype == "float64":
            what = "float64 agrees where casts inside are lifted, the code as it is does not"
        message = f"{what}: {gap(reading.torch, reading.jax, at, ratio)}; {worse} is further from float64"
        return replace(base, verdict=Verdict.PRECISION, message=message, worse=worse)
    lost = _amplification(reading)
    if lost is not None:
        worse, times, other = lost
        better = "jax" if worse == "torch" else "torch"
        message = (
            f"{worse} amplifies rounding {times:.1e} times where its inputs explain 1 and {better} has {other:.2g}: "
            f"{reading.dtype} keeps {_digits_lost(times)} digits less there"
        )
        return replace(base, verdict=Verdict.UNSTABLE, message=message, worse=worse)
    if base.powerless:
        return replace(base, message="zero but for rounding on both sides: this tensor has no power to show a fault")
    return replace(base, message=f"within {max(ratio64, ratio):.2g} of the rounding bound")


def asymmetric(reading: Reading) -> bool:
    """Whether one side is so much closer to float64 that its conditioning is worth the runs that measure it.

    Args:
        reading: The four arrays, before `conditioning` is known.

    Returns:
        True where the worse side errs as if ten bits were lost, and the other far less than chance explains.
    """
    if reading.torch64.dtype.kind != "f" or reading.dtype == "float64" or reading.torch64.size == 0:
        return False
    torch, jax = _own_errors(reading)
    limit64, _ = _limits(reading, confidence_factor(reading.torch64.size))
    if _power(reading, limit64) >= 1.0:
        return False  # zero but for rounding: any two roundings of zero lie far apart
    u = float_format(reading.dtype).unit_roundoff
    size = _rms(reading.r)
    return max(torch, jax) > SLOPE * u * size and min(torch, jax) * _luck(reading.torch64.size) < max(torch, jax)


def largest_ratio(left: np.ndarray, right: np.ndarray, limit: np.ndarray) -> tuple[float, tuple[int, ...] | None]:
    """Largest |left - right| / limit over the elements that are finite on both sides, and where it is."""
    finite = np.isfinite(left) & np.isfinite(right)
    if not finite.any():
        return 0.0, None
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        distance = np.abs(left.astype(np.float64) - right.astype(np.float64))
        # An unmeasurable bound (NaN) gives no licence: only equality passes.
        ratios = np.where(distance == 0.0, 0.0, np.where(np.isnan(limit), np.inf, distance / limit))
        ratios = np.where(finite, ratios, 0.0)
    index = np.unravel_index(int(np.argmax(ratios)), ratios.shape)
    return float(ratios[index]), tuple(int(i) for i in index)


def slope(e64: Errors, e: Errors) -> float:
    """rho = |D_64| / |D_p|, in the Euclidean norm of the finite elements."""
    if e64.rms == 0.0:
        return 0.0 if e.rms > 0.0 else math.nan
    return e64.rms / e.rms if e.rms > 0.0 else math.inf


def _shrinks(reading: Reading, rho: float) -> bool:
    """Whether the difference falls with precision as rounding does: D_p is as large as an amplification predicts."""
    if reading.reference != "float64" or reading.dtype == "float64":
        return False
    return rho <= SLOPE * REFERENCE.unit_roundoff / float_format(reading.dtype).unit_roundoff


def _further(reading: Reading, index: tuple[int, ...] | None) -> str:
    """The side that is further from the reference at the working dtype, where they were found to differ."""
    at = index or ()
    with np.errstate(invalid="ignore", over="ignore"):
        torch, jax = (float(np.abs(a[at] - reading.r[at])) for a in (reading.torch, reading.jax))
    return "torch" if torch > jax else "jax"


def _limits(reading: Reading, lam: float) -> tuple[np.ndarray, np.ndarray]:
    """The bounds at the reference's precision and at the working dtype."""
    coarse = reading.sensitivity if reading.coarse is None else reading.coarse
    return (
        bound(reading.r, reading.sensitivity, reading.reference, lam, pairs=reading.pairs),
        bound(reading.r, coarse, reading.dtype, lam, pairs=reading.pairs),
    )


def _judge_exact(reading: Reading, base: Finding) -> Finding:
    different = reading.torch64 != reading.jax64
    if different.any():
        message = mismatch(different, reading.torch64, reading.jax64, "float64")
        tied = reading.ties is not None and not (different & ~reading.ties).any()
        if tied:
            return replace(base, verdict=Verdict.CONVENTION, message=f"the values tie there, and {message}")
        return replace(base, verdict=Verdict.SEMANTIC, message=message)
    different = reading.torch != reading.jax
    if reading.flips is not None:
        tied_here = different & reading.flips
        if tied_here.any() and not (different & ~reading.flips).any():
            message = f"equal but for {int(tied_here.sum())} that one rounding of the inputs decides"
            return replace(base, message=message, note="ties within the bound")
        different = different & ~reading.flips
    if different.any():
        message = mismatch(different, reading.torch, reading.jax, reading.dtype)
        return replace(base, verdict=Verdict.PRECISION, message=message)
    return replace(base, message="equal", ratio64=0.0, ratio=0.0)


def _overflows(reading: Reading, limit: np.ndarray) -> bool:
    """Whether every infinity on one side alone stands where the bound reaches past the largest number."""
    largest = float_format(reading.dtype).largest
    one = np.isfinite(reading.torch) ^ np.isfinite(reading.jax)
    nan = np.isnan(reading.torch) | np.isnan(reading.jax)
    return (
        not (one & (nan | (np.abs(reading.r) + limit < largest))).any()
        and not (np.isinf(reading.torch) & np.isinf(reading.jax) & (reading.torch != reading.jax)).any()
    )


def _rms(array: np.ndarray) -> float:
    finite = array[np.isfinite(array)]
    return float(np.sqrt(np.mean(np.square(finite, dtype=np.float64)))) if finite.size else 0.0


def _own_errors(reading: Reading) -> tuple[float, float]:
    """Root mean square distance of each side from torch's float64 run, at the working dtype."""
    with np.errstate(invalid="ignore", over="ignore"):
        return _rms(reading.torch - reading.r), _rms(reading.jax - reading.r)


def _luck(elements: int) -> float:
    """How many times closer chance alone brings one of two equal roundings, at the stated budget.

    The root mean square of N normal errors falls below 1 / R of its scale with probability about (e / R^2)^(N/2); so
    one number says nothing, and eight say all.
    """
    return max(BETTER, math.sqrt(math.e) * FALSE_ALARMS ** (-1.0 / elements))


def _amplification(reading: Reading) -> tuple[str, float, float] | None:
    """The side that loses ten bits more than its inputs explain while the other does not, and both amplifications."""
    if reading.conditioning is None or not asymmetric(reading):
        return None
    s = _rms(np.abs(reading.r) + reading.conditioning)
    # A library may add a million terms one after the other: sqrt(n) roundings are no instability.
    unit = float_format(reading.dtype).unit_roundoff * s * math.sqrt(max(reading.terms, 1.0))
    torch, jax = (e / unit for e in _own_errors(reading))
    worse, other = max(torch, jax), min(torch, jax)
    if worse <= SLOPE:
        return None
    return ("torch" if torch > jax else "jax"), worse, other


def _digits_lost(times: float) -> int:
    return math.floor(math.log10(times))


def _power(reading: Reading, limit: np.ndarray) -> float:
    """Smallest relative error of the whole tensor that float64 would have found."""
    if reading.torch64.size == 0:
        return math.inf
    size, allowed = _rms(reading.r), float(np.sqrt(np.mean(np.square(limit))))
    if not math.isfinite(size) or math.isnan(allowed):
        return math.nan
    return allowed / size if size > 0.0 else math.inf
