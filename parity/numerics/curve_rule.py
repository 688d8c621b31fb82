"""Training curves: float64 pointwise, as far as the measured growth of rounding allows."""

import math
from dataclasses import dataclass, replace

import numpy as np

from parity.numerics.comparator import errors
from parity.numerics.dtypes import REFERENCE
from parity.numerics.rule import confidence_factor, largest_ratio, slope
from parity.numerics.sentences import gap, mismatch, nonfinite
from parity.numerics.verdict import Finding, Verdict


@dataclass(frozen=True)
class CurveReading:
    """A training curve as four runs gave it, with the growth of a float64 ensemble.

    Attributes:
        torch64, jax64, torch, jax: Arrays of shape (T, ...): one entry a step.
        dtype: Name of the working dtype.
        sensitivity: Change of each entry per relative change of the start, measured at float64; shape (T, ...).
        n: Rounding operations in one step.
    """

    torch64: np.ndarray
    jax64: np.ndarray
    torch: np.ndarray
    jax: np.ndarray
    dtype: str
    sensitivity: np.ndarray
    n: float


HORIZON = 2.0**-20
"""A curve is compared pointwise while its bound stays below this part of its own size. Past it the growth is made of
rare events, a unit of the spiral's net crossing its kink, that an ensemble of four need not contain: at 2^-13 an honest
run of 10,000 steps came to 0.99 of its bound, at 2^-20 no honest run was seen above 0.03."""


def judge_curve(reading: CurveReading, *, torch_path: str, jax_path: str) -> Finding:
    """Judge a training curve: float64 pointwise up to the horizon that its own growth of rounding allows.

    B_t = 2 lambda u_64 sqrt(n) max over t' <= t of s_t', n the roundings on the longest path of one step: what one step
    may err by, grown as the ensemble grew. The working dtype is not judged pointwise, since honest runs part there; the
    distance of each side from its own float64 run is reported, side against side.

    Args:
        reading: The four curves, and how they grew.
        torch_path, jax_path: The curve's names.

    Returns:
        A Finding of stage "curve"; `step` is the first step beyond the bound, `horizon` the number of steps compared.

    Raises:
        ValueError: If the curve has no steps.
    """
    steps = len(reading.torch64)
    if steps == 0:
        raise ValueError(f"curve {torch_path}: got no steps, wanted at least one; raise the case's number of steps")
    base = Finding("curve", torch_path, jax_path, Verdict.AGREE, "", reading.dtype)
    if reading.torch64.dtype.kind != "f":
        return _judge_counts(reading, base)
    lam = confidence_factor(reading.torch64.size)
    limit, horizon = curve_bound(reading, lam)
    inside = slice(0, horizon)
    errors64 = errors(reading.torch64[inside], reading.jax64[inside])
    errors_p = errors(reading.torch, reading.jax, reading.torch64, dtype=reading.dtype)
    ratio64, at64 = largest_ratio(reading.torch64[inside], reading.jax64[inside], limit[inside])
    note = _own_distance(reading)
    rho = slope(errors(reading.torch64[:1], reading.jax64[:1]), errors(reading.torch[:1], reading.jax[:1]))
    base = replace(
        base,
        ratio64=ratio64,
        errors64=errors64,
        errors=errors_p,
        lam=lam,
        horizon=horizon,
        note=note,
        rho=rho,
        power=_curve_power(reading.torch64[inside], limit[inside]),
    )
    if errors64.nonfinite_mismatch:
        step = errors64.first_nonfinite[0] if errors64.first_nonfinite else 0
        return replace(base, verdict=Verdict.SEMANTIC, step=step, message=nonfinite(errors64, "float64"))
    if horizon == 0:
        message = "rounding alone decides it: nothing can be compared pointwise"
        return replace(base, verdict=Verdict.UNSTABLE, step=0, message=message)
    if not ratio64 <= 1.0:
        beyond = np.abs(reading.torch64[inside] - reading.jax64[inside]) > limit[inside]
        step = int(np.argmax(beyond.reshape(horizon, -1).any(axis=1)))
        return replace(
            base,
            verdict=Verdict.SEMANTIC,
            step=step,
            message=f"the curves part at step {step}; {gap(reading.torch64, reading.jax64, at64, ratio64)}",
        )
    reach = "all" if horizon == steps else f"the first {horizon:,} of"
    return replace(base, message=f"{reach} {steps:,} steps within {ratio64:.2g} of the float64 bound")


def curve_bound(reading: CurveReading, lam: float) -> tuple[np.ndarray, int]:
    """The bound of every step, and the number of steps for which it has power.

    Args:
        reading: The curve.
        lam: The factor from `confidence_factor`.

    Returns:
        (bound of the curve's shape, horizon).
    """
    steps = len(reading.torch64)
    grown = np.maximum.accumulate(np.abs(reading.torch64) + reading.sensitivity, axis=0)
    limit = 2.0 * lam * REFERENCE.unit_roundoff * math.sqrt(reading.n) * grown
    # A curve that falls by decades (a loss near its minimum) is measured against where it started, an array a step by
    # its root mean square: one entry near zero does not take the power from the others.
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.maximum.accumulate(_rms_per_step(reading.torch64))
        lost = ~(_rms_per_step(limit) <= HORIZON * np.maximum(size, REFERENCE.smallest_normal))
    return limit, int(np.argmax(lost)) if lost.any() else steps


def _rms_per_step(array: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(array).reshape(len(array), -1), axis=1)) if array.size else np.zeros(len(array))


def _judge_counts(reading: CurveReading, base: Finding) -> Finding:
    different = reading.torch64 != reading.jax64
    if different.any():
        step = int(np.argmax(different.reshape(len(different), -1).any(axis=1)))
        return replace(
            base,
            verdict=Verdict.SEMANTIC,
            step=step,
            message=mismatch(different, reading.torch64, reading.jax64, "float64"),
        )
    parted = int(np.count_nonzero(reading.torch != reading.jax))
    note = (
        f"{parted} of {reading.torch.size} differ in the {reading.dtype} runs"
        if parted
        else f"equal in the {reading.dtype} runs too"
    )
    return replace(
        base,
        message=f"all {reading.torch64.size:,} counts equal at float64",
        ratio64=0.0,
        horizon=len(different),
        note=note,
    )


def _curve_power(curve: np.ndarray, limit: np.ndarray) -> float:
    """The bound at the last step that was compared, as a part of the curve's size."""
    if len(curve) == 0:
        return math.inf
    size = float(np.max(_rms_per_step(curve)))
    return float(_rms_per_step(limit)[-1]) / size if size else math.inf


def _own_distance(reading: CurveReading) -> str:
    with np.errstate(invalid="ignore", over="ignore"):
        torch = float(np.nanmax(np.abs(reading.torch - reading.torch64)))
        jax = float(np.nanmax(np.abs(reading.jax - reading.jax64)))
    return f"{reading.dtype} against its own float64: torch {torch:.2g}, jax {jax:.2g}"
