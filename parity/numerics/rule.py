"""The rule: the verdict that follows from two precisions and a measured sensitivity."""

import math
from dataclasses import replace

import numpy as np

from parity.numerics.bounds import in_bounds
from parity.numerics.comparator import Errors, errors
from parity.numerics.dtypes import REFERENCE, float_format
from parity.numerics.instability import SLOPE, amplification, further
from parity.numerics.reading import (
    FALSE_ALARMS,
    Reading,
    confidence_factor,
    limits,
    powerlessness,
)
from parity.numerics.sentences import gap, mismatch, nonfinite
from parity.numerics.verdict import Finding, Verdict


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
    ratio64, at64, ratio, at, power = in_bounds(reading, lam)
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
        power=power,
        reference=reading.reference,
    )
    if errors64.nonfinite_mismatch:
        return replace(base, verdict=Verdict.SEMANTIC, message=nonfinite(errors64, "float64"))
    if not ratio64 <= 1.0:
        if _shrinks(reading, rho):
            worse = further(reading, at64)
            message = (
                f"the difference shrinks with precision (rho = {rho:.1e}), but is {ratio64:.1e} x the rounding bound: "
                f"one side amplifies rounding; {worse} is further from float64"
            )
            return _unstable(base, message, worse)
        shrinks = f"; does not shrink with precision (rho = {rho:.2g})" if reading.reference == "float64" else ""
        message = f"the formulas differ: {gap(reading.torch64, reading.jax64, at64, ratio64)}{shrinks}"
        return replace(base, verdict=Verdict.SEMANTIC, message=message)
    if errors_p.nonfinite_mismatch and not _overflows(reading, limits(reading, lam)[1]):
        return replace(base, verdict=Verdict.PRECISION, message=nonfinite(errors_p, reading.dtype))
    if not ratio <= 1.0:
        worse = further(reading, at)
        what = f"float64 agrees, {reading.dtype} does not"
        if reading.dtype == "float64":
            what = "float64 agrees where casts inside are lifted, the code as it is does not"
        message = f"{what}: {gap(reading.torch, reading.jax, at, ratio)}; {worse} is further from float64"
        return replace(base, verdict=Verdict.PRECISION, message=message, worse=worse)
    lost = amplification(reading)
    if lost is not None:
        worse, times, other = lost
        better = "jax" if worse == "torch" else "torch"
        message = (
            f"{worse} amplifies rounding {times:.1e} times where its inputs explain 1 and {better} has {other:.2g}: "
            f"{reading.dtype} keeps {_digits_lost(times)} digits less there"
        )
        return _unstable(base, message, worse)
    without_power = powerlessness(reading, limits(reading, lam)[0]) if power >= 1.0 else ""
    if without_power:
        return replace(base, message=without_power)
    return replace(base, message=f"within {max(ratio64, ratio):.2g} of the rounding bound")


def _unstable(base: Finding, message: str, worse: str) -> Finding:
    """With where to look: the ways in which rounding is amplified that ports were seen to have."""
    step = (
        f"next: look on the {worse} side for a difference of near numbers, such as E[x^2] - E[x]^2 or 1 + erf, an exp "
        "without its largest taken off, or a division by what may be small; give that part alone to parity.check"
    )
    note = "; ".join(filter(None, (base.note, step)))
    return replace(base, verdict=Verdict.UNSTABLE, message=message, worse=worse, note=note)


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


def _digits_lost(times: float) -> int:
    return math.floor(math.log10(times))
