"""Whether one side alone amplifies rounding, and which."""

import math

import numpy as np

from parity.numerics.dtypes import float_format
from parity.numerics.reading import FALSE_ALARMS, Reading, confidence_factor, limits, rms, smallest_error

SLOPE = 2.0**10
"""How far above u_64 / u_p the ratio D_64 / D_p may lie and still count as rounding. Honest pairs were measured between
0.5 and 4.5 times that ratio, wrong formulas from 3e8 times on, so the factor has two decades and five to spare.

As an amplification it is the loss of ten bits, three digits: honest algorithms were measured up to 579 (a variance as
E[x^2] - E[x]^2 at mean 100), the tail of 1 + erf at 5e5."""

BETTER = 2.0**5
"""How many times closer to float64 the stable side must be before the other is called unstable."""


def asymmetric(reading: Reading) -> bool:
    """Whether one side is so much closer to float64 that its conditioning is worth the runs that measure it.

    Args:
        reading: The four arrays, before `conditioning` is known.

    Returns:
        True where the worse side errs as if ten bits were lost, and the other far less than chance explains.

    Examples:
        >>> variance = np.random.default_rng(0).uniform(0.9, 1.1, 100)
        >>> rounded = variance.astype("float32").astype("float64")
        >>> cancelled = variance + np.random.default_rng(1).normal(0, 1e-3, 100)  # E[x^2] - E[x]^2 at mean 100
        >>> asymmetric(Reading(variance, variance, cancelled, rounded, "float32"))
        True
        >>> asymmetric(Reading(variance, variance, rounded, rounded, "float32"))
        False
    """
    if reading.torch64.dtype.kind != "f" or reading.dtype == "float64" or reading.torch64.size == 0:
        return False
    torch, jax = _own_errors(reading)
    u = float_format(reading.dtype).unit_roundoff
    worse, better = max(torch, jax), min(torch, jax)
    if not (worse > SLOPE * u * rms(reading.r) and better * _luck(reading.torch64.size) < worse):
        return False
    # Where it is zero but for rounding, any two roundings of zero lie far apart.
    limit64, _ = limits(reading, confidence_factor(reading.torch64.size))
    return not smallest_error(reading, limit64) >= 1.0


def amplification(reading: Reading) -> tuple[str, float, float] | None:
    """The side that loses ten bits more than its inputs explain while the other does not, and both amplifications."""
    if reading.conditioning is None or not asymmetric(reading):
        return None
    s = rms(np.abs(reading.r) + reading.conditioning)
    # A library may add a million terms one after the other: sqrt(n) roundings are no instability.
    unit = float_format(reading.dtype).unit_roundoff * s * math.sqrt(max(reading.terms, 1.0))
    torch, jax = (e / unit for e in _own_errors(reading))
    worse, other = max(torch, jax), min(torch, jax)
    if worse <= SLOPE:
        return None
    return ("torch" if torch > jax else "jax"), worse, other


def further(reading: Reading, index: tuple[int, ...] | None) -> str:
    """The side that is further from the reference at the working dtype, where they were found to differ."""
    at = index or ()
    with np.errstate(invalid="ignore", over="ignore"):
        torch, jax = (float(np.abs(a[at] - reading.r[at])) for a in (reading.torch, reading.jax))
    return "torch" if torch > jax else "jax"


def _own_errors(reading: Reading) -> tuple[float, float]:
    """Root mean square distance of each side from torch's float64 run, at the working dtype."""
    with np.errstate(invalid="ignore", over="ignore"):
        return rms(reading.torch - reading.r), rms(reading.jax - reading.r)


def _luck(elements: int) -> float:
    """How many times closer chance alone brings one of two equal roundings, at the stated budget.

    The root mean square of N normal errors falls below 1 / R of its scale with probability about (e / R^2)^(N/2); so
    one number says nothing, and eight say all.
    """
    return max(BETTER, math.sqrt(math.e) * FALSE_ALARMS ** (-1.0 / elements))
