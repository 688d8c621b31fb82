"""What "agree" means: a bound derived from two precisions and a measured sensitivity, and the verdict that follows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from parity.numerics.comparator import Errors, errors
from parity.numerics.dtypes import REFERENCE, float_format

FALSE_ALARMS = 1e-6
"""The stated budget: probability that one comparison of an honest pair is called different."""

SLOPE = 2.0**10
"""How far above u_64 / u_p the ratio D_64 / D_p may lie and still count as rounding. Honest pairs were measured between
0.5 and 4.5 times that ratio, wrong formulas from 3e8 times on, so the factor has two decades and five to spare."""


class Verdict(StrEnum):
    """What one comparison found; see DESIGN of the rule in `judge`."""

    AGREE = "AGREE"
    CONVENTION = "CONVENTION"
    PRECISION = "PRECISION"
    UNSTABLE = "UNSTABLE"
    SEMANTIC = "SEMANTIC"
    STRUCTURE = "STRUCTURE"

    @property
    def agrees(self) -> bool:
        """Whether this counts as agreement: AGREE, or a CONVENTION that the case accepts by name."""
        return self in (Verdict.AGREE, Verdict.CONVENTION)

    @property
    def severity(self) -> int:
        """0 for AGREE, rising to 5 for STRUCTURE; the worst finding decides a report."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Finding:
    """One comparison of one tensor: the verdict, and everything that it rests on.

    Attributes:
        stage: "structure", "forward", "loss", "gradient", "update" or "curve".
        torch_path, jax_path: The tensor's name on each side.
        verdict: The Verdict.
        message: One sentence for a person, without the verdict's name.
        dtype: The working dtype that stood beside float64.
        step: The training step, or None.
        ratio64, ratio: Largest |D_64| / B_64 and |D_p| / B_p; at most 1 where they agree. NaN where there is no bound.
        rho: |D_64| / |D_p| in the Euclidean norm; NaN where D_p is zero and D_64 too.
        errors64, errors: Statistics at float64 and at the working dtype, torch left, JAX right, torch's float64 run as
            the reference.
        at64, at: Where ratio64 and ratio are reached.
        lam: The factor lambda of the bound.
        power: Largest relative error of this tensor that the check would have let pass at float64; infinity where
            inputs give it no power.
        horizon: For a curve, the number of steps that could be compared pointwise at float64.
        worse: "torch" or "jax", where a verdict names a side.
        compared: False where nothing was: past a curve's horizon, where rounding alone decides. Reports count it apart.
        note: Further remarks: a convention's reason, a width of integers.
    """

    stage: str
    torch_path: str
    jax_path: str
    verdict: Verdict
    message: str
    dtype: str = "float32"
    step: int | None = None
    ratio64: float = math.nan
    ratio: float = math.nan
    rho: float = math.nan
    errors64: Errors | None = None
    errors: Errors | None = None
    at64: tuple[int, ...] | None = None
    at: tuple[int, ...] | None = None
    lam: float = math.nan
    power: float = math.nan
    horizon: int | None = None
    worse: str | None = None
    compared: bool = True
    note: str = ""

    def __bool__(self) -> bool:
        return self.verdict.agrees


@dataclass(frozen=True)
class Reading:
    """One tensor of one name as four runs gave it: each side at float64 and at the working dtype.

    Attributes:
        torch64, jax64: Arrays of one shape from the float64 runs.
        torch, jax: The same from the runs at the working dtype, widened exactly where NumPy lacks it.
        dtype: Name of the working dtype.
        sensitivity: Root mean square change of this tensor per unit of relative error in every input and operation, of
            one shape with the arrays, measured at float64.
        flips: For integers: where errors of one rounding changed them.
    """

    torch64: np.ndarray
    jax64: np.ndarray
    torch: np.ndarray
    jax: np.ndarray
    dtype: str
    sensitivity: np.ndarray | float = 0.0
    flips: np.ndarray | None = None


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


def bound(reference: np.ndarray, sensitivity: np.ndarray | float, dtype: str, lam: float) -> np.ndarray:
    """B_p = 2 lambda u_p s: what two honest implementations may differ by at a dtype.

    Args:
        reference: r, the float64 result, of any shape.
        sensitivity: Root mean square response to errors of relative size 1, of the same shape or a scalar.
        dtype: The format p.
        lam: The factor from `confidence_factor`.

    Returns:
        The bound for each element, float64; s = |r| + sensitivity, and never below what the format can hold.
    """
    form = float_format(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        s = np.abs(reference) + sensitivity
        return 2.0 * lam * (form.unit_roundoff * s + form.smallest_normal)


def judge(reading: Reading, *, stage: str, torch_path: str, jax_path: str, step: int | None = None) -> Finding:
    """Judge one tensor by what four runs of it gave.

    With D_p = torch_p - jax_p, r = torch_64, and B_p from `bound`:
    AGREE when D_64 <= B_64 and D_p <= B_p; SEMANTIC when D_64 is beyond its bound and does not shrink with precision;
    UNSTABLE when it is beyond and shrinks as rounding does; PRECISION when only D_p is beyond. Integers, booleans and
    non-finite values are compared exactly, NaN and infinity by position.

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
    base = Finding(stage, torch_path, jax_path, Verdict.AGREE, "", reading.dtype, step)
    if reading.torch64.dtype.kind not in "f":
        return _judge_exact(reading, base)
    errors64 = errors(reading.torch64, reading.jax64)
    errors_p = errors(reading.torch, reading.jax, reading.torch64, dtype=reading.dtype)
    lam = confidence_factor(reading.torch64.size)
    limit64 = bound(reading.torch64, reading.sensitivity, "float64", lam)
    limit = bound(reading.torch64, reading.sensitivity, reading.dtype, lam)
    ratio64, at64 = _largest_ratio(reading.torch64, reading.jax64, limit64)
    ratio, at = _largest_ratio(reading.torch, reading.jax, limit)
    rho = _slope(errors64, errors_p)
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
        power=_power(reading, lam),
    )
    if errors64.nonfinite_mismatch:
        return replace(base, verdict=Verdict.SEMANTIC, message=_nonfinite(errors64, "float64"))
    if not ratio64 <= 1.0:
        if (
            reading.dtype != "float64"
            and rho <= SLOPE * REFERENCE.unit_roundoff / float_format(reading.dtype).unit_roundoff
        ):
            worse = "torch" if errors_p.left_error > errors_p.right_error else "jax"
            message = (
                f"the difference shrinks with precision (rho = {rho:.1e}), but is {ratio64:.1e} x the rounding bound: "
                f"one side amplifies rounding; {worse} is further from float64"
            )
            return replace(base, verdict=Verdict.UNSTABLE, message=message, worse=worse)
        return replace(
            base,
            verdict=Verdict.SEMANTIC,
            message=f"the formulas differ: {_gap(reading.torch64, reading.jax64, at64, ratio64)}; "
            f"does not shrink with precision (rho = {rho:.2g})",
        )
    if errors_p.nonfinite_mismatch:
        return replace(base, verdict=Verdict.PRECISION, message=_nonfinite(errors_p, reading.dtype))
    if not ratio <= 1.0:
        worse = "torch" if errors_p.left_error > errors_p.right_error else "jax"
        return replace(
            base,
            verdict=Verdict.PRECISION,
            message=f"float64 agrees, {reading.dtype} does not: {_gap(reading.torch, reading.jax, at, ratio)}; "
            f"{worse} is further from float64",
            worse=worse,
        )
    return replace(base, message=f"within {max(ratio64, ratio):.2g} of the rounding bound")


def _judge_exact(reading: Reading, base: Finding) -> Finding:
    different = reading.torch64 != reading.jax64
    if different.any():
        return replace(
            base, verdict=Verdict.SEMANTIC, message=_mismatch(different, reading.torch64, reading.jax64, "float64")
        )
    different = reading.torch != reading.jax
    if reading.flips is not None:
        tied = different & reading.flips
        if tied.any() and not (different & ~reading.flips).any():
            return replace(
                base,
                message=f"equal but for {int(tied.sum())} that one rounding of the inputs decides",
                note="ties within the bound",
            )
        different = different & ~reading.flips
    if different.any():
        return replace(
            base, verdict=Verdict.PRECISION, message=_mismatch(different, reading.torch, reading.jax, reading.dtype)
        )
    return replace(base, message="equal", ratio64=0.0, ratio=0.0)


def _mismatch(different: np.ndarray, torch: np.ndarray, jax: np.ndarray, dtype: str) -> str:
    index = tuple(int(i) for i in np.unravel_index(int(different.argmax()), different.shape))
    where = f" at {index}" if index else ""
    count = f"; {int(different.sum())} of {different.size} differ" if different.size > 1 else ""
    return f"must be equal{where} in the {dtype} run: torch {torch[index]}, jax {jax[index]}{count}"


def _gap(torch: np.ndarray, jax: np.ndarray, index: tuple[int, ...] | None, ratio: float) -> str:
    """Where the difference is largest beside its bound; index is not None, since some ratio is above 1."""
    left, right = float(torch[index or ()]), float(jax[index or ()])
    where = f" at {index}" if index else ""
    size = f"{abs(left - right):.2g}, {ratio:.2g} x the rounding bound"
    return f"torch {left:.10g}, jax {right:.10g}{where} differ by {size}"


def _nonfinite(e: Errors, dtype: str) -> str:
    parts = [
        f"{n} {what}"
        for n, what in (
            (e.nan_left_only, "NaN only in torch"),
            (e.nan_right_only, "NaN only in jax"),
            (e.inf_mismatch, "infinities that differ"),
        )
        if n
    ]
    return f"{', '.join(parts)} in the {dtype} run, first at {e.first_nonfinite}"


def _largest_ratio(left: np.ndarray, right: np.ndarray, limit: np.ndarray) -> tuple[float, tuple[int, ...] | None]:
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


def _slope(e64: Errors, e: Errors) -> float:
    if e64.rms == 0.0:
        return 0.0 if e.rms > 0.0 else math.nan
    return e64.rms / e.rms if e.rms > 0.0 else math.inf


def _power(reading: Reading, lam: float) -> float:
    """Largest relative error of the whole tensor that float64 would have let pass."""
    size = float(np.sqrt(np.mean(np.square(reading.torch64)))) if reading.torch64.size else 0.0
    if not math.isfinite(size):
        return math.nan
    if size == 0.0:
        return math.inf
    limit = bound(reading.torch64, reading.sensitivity, "float64", lam)
    return float(np.sqrt(np.mean(np.square(limit))) / size)


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
    ratio64, at64 = _largest_ratio(reading.torch64[inside], reading.jax64[inside], limit[inside])
    note = _own_distance(reading)
    rho = _slope(errors(reading.torch64[:1], reading.jax64[:1]), errors(reading.torch[:1], reading.jax[:1]))
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
        return replace(base, verdict=Verdict.SEMANTIC, step=step, message=_nonfinite(errors64, "float64"))
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
            message=f"the curves part at step {step}; {_gap(reading.torch64, reading.jax64, at64, ratio64)}",
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
            message=_mismatch(different, reading.torch64, reading.jax64, "float64"),
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


def worst(findings: Mapping[Any, Finding] | tuple[Finding, ...] | list[Finding]) -> Verdict:
    """The most severe verdict among findings; AGREE where there are none."""
    items = findings.values() if isinstance(findings, Mapping) else findings
    return max((f.verdict for f in items), key=lambda v: v.severity, default=Verdict.AGREE)
