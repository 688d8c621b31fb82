"""Training curves: float64 pointwise, as far as the measured growth of rounding allows."""

import math
from dataclasses import dataclass, replace

import numpy as np

from parity.numerics.bounds import largest_ratio
from parity.numerics.comparator import errors
from parity.numerics.dtypes import REFERENCE, float_format
from parity.numerics.reading import FALSE_ALARMS, confidence_factor
from parity.numerics.rule import slope
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

    Examples:
        >>> losses = np.array([1.1, 0.9, 0.8])
        >>> same = CurveReading(losses, losses, losses, losses, "float32", sensitivity=10 * losses, n=50.0)
        >>> judge_curve(same, torch_path="losses", jax_path="losses").message
        'all 3 steps within 0 of the float64 bound'
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


OWN = 2.0**-8
"""Each side is measured against its own float64 run while rounding at the working dtype, as it grows, stays below this
part of the curve's size; later the two are different runs."""


def judge_curve(reading: CurveReading, *, torch_path: str, jax_path: str) -> Finding:
    """Judge a training curve: float64 pointwise up to the horizon that its own growth of rounding allows.

    B_t = 2 lambda u_64 sqrt(n) max over t' <= t of s_t', n the roundings on the longest path of one step: what one step
    may err by, grown as the ensemble grew. The working dtype is not judged over many steps: see `own_distances`.

    Args:
        reading: The four curves, and how they grew.
        torch_path, jax_path: The curve's names.

    Returns:
        A Finding of stage "curve"; `step` is the first step beyond the bound, `horizon` the number of steps compared.

    Raises:
        ValueError: If the curve has no steps.

    Examples:
        >>> loss = np.exp(-0.01 * np.arange(1000))
        >>> other = loss * np.where(np.arange(1000) < 500, 1.0, 1.0 + 1e-8)
        >>> reading = CurveReading(loss, other, loss, other, "float32", sensitivity=loss, n=100.0)
        >>> found = judge_curve(reading, torch_path="losses", jax_path="losses")
        >>> found.verdict, found.step, found.horizon
        (<Verdict.SEMANTIC: 'SEMANTIC'>, 500, 1000)
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
    own_ratio, note = own_distances(reading, limit)
    rho = slope(errors(reading.torch64[:1], reading.jax64[:1]), errors(reading.torch[:1], reading.jax[:1]))
    base = replace(
        base,
        ratio64=ratio64,
        errors64=errors64,
        errors=errors_p,
        lam=lam,
        false_alarms=FALSE_ALARMS,
        horizon=horizon,
        own_ratio=own_ratio,
        note=note,
        rho=rho,
        power=_curve_power(reading.torch64[inside], limit[inside]),
    )
    if errors64.nonfinite_mismatch:
        step = errors64.first_nonfinite[0] if errors64.first_nonfinite else 0
        return replace(base, verdict=Verdict.SEMANTIC, step=step, message=nonfinite(errors64, "float64"))
    if horizon == 0:
        message = "rounding alone decides it: nothing can be compared pointwise"
        more = "next: compare many seeds, parity.check_seeds(torch_train, jax_train), or a smaller learning rate"
        note = "; ".join(filter(None, (base.note, more)))
        return replace(base, verdict=Verdict.UNSTABLE, step=0, message=message, note=note)
    if not ratio64 <= 1.0:
        beyond = np.abs(reading.torch64[inside] - reading.jax64[inside]) > limit[inside]
        step = int(np.argmax(beyond.reshape(horizon, -1).any(axis=1)))
        first, at = largest_ratio(reading.torch64[step], reading.jax64[step], limit[step])
        message = f"the curves part at step {step:,}: {gap(reading.torch64[step], reading.jax64[step], at, first)}"
        if ratio64 > 2 * first and at64:
            message += f"; {ratio64:.2g} x at step {at64[0]:,}"
        return replace(base, verdict=Verdict.SEMANTIC, step=step, message=message)
    reach = "all" if horizon == steps else f"the first {horizon:,} of"
    return replace(base, message=f"{reach} {steps:,} steps within {ratio64:.2g} of the float64 bound")


def curve_bound(reading: CurveReading, lam: float) -> tuple[np.ndarray, int]:
    """The bound of every step, and the number of steps for which it has power.

    Args:
        reading: The curve.
        lam: The factor from `confidence_factor`.

    Returns:
        (bound of the curve's shape, horizon).

    Examples:
        >>> loss = np.ones(1000)
        >>> grown = 1.05 ** np.arange(1000)  # rounding grows by a twentieth a step
        >>> limit, horizon = curve_bound(CurveReading(loss, loss, loss, loss, "float32", grown, n=100.0), lam=6.0)
        >>> limit.shape, horizon
        ((1000,), 371)
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


def own_distances(reading: CurveReading, limit: np.ndarray) -> tuple[float, str]:
    """How far each side is at the working dtype from its own float64 run, side against side.

    The ratio of the root mean squares over the steps before rounding at the working dtype has grown to `OWN`. It is
    reported and not judged, because no bound on it holds. A unit that crosses its kink in one run alone parts that run
    from its own float64 within one step: of honest pairs, torch was seen 2,800 times as far as JAX over the first 228
    steps of the spiral's net, 26,000 times over the first 163 of LeNet, and 140 times beyond the bound that grows with
    an ensemble. Nor does an ensemble's spread give a factor: where one direction outgrows the others each distance is
    the size of one normal number, and the ratio of two of those is beyond 6e5 once in a million. A side that loses
    precision is told by the single steps from a shared state, where the bound holds at the working dtype too.

    Args:
        reading: The curve.
        limit: Its float64 bound.

    Returns:
        (torch's distance in those steps by JAX's, NaN where there are none or both are zero; a remark with the
        distances in those steps and overall).
    """
    with np.errstate(invalid="ignore", over="ignore"):
        apart = [
            _rms_per_step(np.nan_to_num(p.astype(np.float64) - p64, nan=np.inf))
            for p, p64 in ((reading.torch, reading.torch64), (reading.jax, reading.jax64))
        ]
        grown = _rms_per_step(limit) * (float_format(reading.dtype).unit_roundoff / REFERENCE.unit_roundoff)
        lost = ~(grown <= OWN * np.maximum.accumulate(_rms_per_step(reading.torch64)))
    steps = len(limit)
    before = int(np.argmax(lost)) if lost.any() else steps
    spans = [(before, f" over the {before:,} steps before rounding has grown to {OWN:.1g} of it")] if before else []
    spans += [(steps, f" over all {steps:,}")] if before < steps else []
    if steps == 1:
        spans = [(1, "")]
    ratios, told = [], []
    for length, where in spans:
        torch, jax = (float(np.sqrt(np.mean(np.square(a[:length])))) for a in apart)
        ratios.append(torch / jax if jax else math.inf if torch else math.nan)
        told.append(f"torch {torch:.2g}, jax {jax:.2g}{where}")
    return ratios[0] if before else math.nan, f"{reading.dtype} from its own float64: {'; '.join(told)}"
