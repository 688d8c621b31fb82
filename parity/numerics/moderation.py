"""A sensitivity from eight runs made safe to rest a bound on: elements of one size lend each other what they know."""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from parity.numerics.chunks import pieces

MEMBERS = 8
"""Disturbed runs that measure a sensitivity."""

FREEDOM = MEMBERS - 1
"""Degrees of freedom of their mean square: each error takes every stratum once in eight runs, so that the eight add up
to zero, and say as much as seven independent ones."""

FEW = 32
"""Elements that share a prior, at least, where there are so many: the mean of so many logarithms of chi-squares of 7
degrees is good to 0.1, and so s_0 to a twentieth."""

CERTAINTY = 2.0
"""Standard errors by which the spread of these logarithms is taken to be larger than it was seen."""

PIECE = 1 << 15  # elements; half a dozen float64 arrays of this size live at once
ZERO = -1100  # the octave of zero, below all that float64 has: -1,073 to 1,024
OCTAVES = 1 + 1024 - ZERO

SPREAD = math.pi**2 / 2 - 4 * (1 + 1 / 9 + 1 / 25)
"""psi'(7 / 2), the variance of the logarithm of a chi-square of 7 degrees of freedom."""

KURTOSIS = (math.pi**4 - 96 * (1 + 1 / 81 + 1 / 625)) / SPREAD**2
"""Its excess kurtosis, psi^(3)(7 / 2) / psi'(7 / 2)^2: v of n of them has a relative variance of (2 + KURTOSIS) / n."""

KNOWN = 1e6  # degrees of freedom that are as good as infinitely many

SHARE = 0.6
"""Real errors of one side, beside those of the runs, that the budget is kept for: no honest pair of tests/proof was
measured above it, in the root mean square at 1e4 elements and float64, and no sum of many terms above 0.5."""


def moderated(
    sensitivity: np.ndarray, reference: np.ndarray, lam: float, elements: int, false_alarms: float
) -> np.ndarray:
    """The sensitivity with which a bound keeps its budget of false alarms; never below the one that was measured.

    s_i^2, a mean square of eight runs, is sigma_i^2 chi^2_7 / 7: of a million elements some have eight runs that lie
    ten times closer together than they should. With nothing but these a bound must follow Student's t of 7 degrees of
    freedom, fifteen times as wide there as for a known sigma_i. But elements of one size err alike. Within an octave of
    |r|, sigma_i^2 is taken for a draw of s_0^2 d_0 / chi^2_{d_0}. With the mean m and the variance v of log s_i^2,

        psi'(d_0 / 2) = v - psi'(7 / 2),   log s_0^2 = m - psi(7 / 2) + log(7 / 2) + psi(d_0 / 2) - log(d_0 / 2),
        s~_i^2 = (d_0 s_0^2 + 7 s_i^2) / (d_0 + 7),

    and an error of size sigma_i, divided by s~_i, is Student's t of d_0 + 7 degrees. So s_i becomes
    max(s_i, s~_i tau / lambda), where tau, at least lambda, keeps the budget for the difference of two errors of SHARE
    of that size (`student_factor`). Where the elements of an octave err alike, d_0 is infinite, and what is
    raised is what was too low by chance. Where they differ by decades, d_0 is near zero and t of 7 degrees remains. So
    it does where they are few, since their spread is hardly known: v is taken as large as CERTAINTY standard errors
    make it. A single element has nobody to learn from.

    An element that no run moved has nothing to err by: it stays 0 and is no evidence for others. Two passes, a piece
    at a time.

    Args:
        sensitivity: s, root mean squares over MEMBERS runs, of any shape; what is infinite or NaN stays so.
        reference: r, of the same shape.
        lam: lambda, the factor of the bound.
        elements: N, the number of elements that are compared.
        false_alarms: delta, the budget.

    Returns:
        An array of that shape.

    Examples:
        >>> s = np.array([1.0] * 999 + [0.1])
        >>> moderated(s, np.ones(1000), 6.5, 1000, 1e-6)[[0, -1]].round(1)
        array([1.1, 1.1])

    References:
        G. Smyth, Linear models and empirical Bayes methods for assessing differential expression in microarray
        experiments, 2004, section 6.2.
    """
    result = np.array(sensitivity, np.float64, order="C")
    count, total, squares = (np.zeros(OCTAVES) for _ in range(3))
    for _, octave, log, _ in _moved(result, reference):
        count += np.bincount(octave, minlength=OCTAVES)
        total += np.bincount(octave, log, OCTAVES)
        squares += np.bincount(octave, log * log, OCTAVES)
    own, shared, width = by_octave(count, total, squares, lam, elements, false_alarms)
    flat = result.reshape(-1)
    for at, octave, _, moved in _moved(result, reference):
        s = flat[at : at + moved.size][moved]
        s_tilde = np.sqrt(shared[octave] + own[octave] * s * s)
        flat[at : at + moved.size][moved] = np.maximum(s, width[octave] * s_tilde)
    return result


def by_octave(
    count: np.ndarray, total: np.ndarray, squares: np.ndarray, lam: float, elements: int, false_alarms: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What moderates the elements of each octave.

    Args:
        count, total, squares: By octave: how many elements a run moved, and the sum and the squares of their log s^2.
        lam, elements, false_alarms: As for `moderated`.

    Returns:
        By octave: 7 / (d_0 + 7), the weight of an element's own s^2; d_0 s_0^2 / (d_0 + 7); tau / lambda, at least 1.
    """
    group = _groups(count)
    held, logs, square = (np.bincount(group, sums) for sums in (count, total, squares))
    mean = logs / np.maximum(held, 1)
    share, prior = _prior(held, mean, (square - logs * mean) / np.maximum(held - 1, 1))
    width = np.maximum(student_factor(elements, false_alarms, FREEDOM / (1.0 - share)) / lam, 1.0)
    return (1.0 - share)[group], (share * prior)[group], width[group]


def student_factor(elements: int, false_alarms: float, freedom: np.ndarray) -> np.ndarray:
    """tau: how many sensitivities of so many degrees of freedom half the difference of two honest errors stays within.

    Two errors of SHARE times sigma differ by sqrt(2) SHARE sigma times a normal number, so tau = SHARE q / sqrt(2), q
    Student's quantile. By way of the normal one, z: q^2 = nu (exp((z (8 nu + 3) / (8 nu + 1))^2 / nu) - 1), which is
    above it for 7 degrees and more, by a fifth at most down to tails of 1e-16.

    Args:
        elements: N, the number of elements that are compared.
        false_alarms: delta, the budget.
        freedom: nu, degrees of freedom, from 7 on.

    Returns:
        tau, of the shape of `freedom`.

    References:
        D. Wallace, Bounds on normal approximations to Student's and the chi-square distributions, 1959.
    """
    z = -NormalDist().inv_cdf(false_alarms / (2.0 * max(elements, 1)))
    with np.errstate(over="ignore"):
        square = freedom * np.expm1((z * (8 * freedom + 3) / (8 * freedom + 1)) ** 2 / freedom)
        return SHARE * np.sqrt(square / 2.0)


def _moved(result: np.ndarray, reference: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Piece by piece: where it starts; octave and log s^2 of the elements that a run moved; and which these are."""
    for at, (s, r) in pieces((result, reference), 0, result.size, PIECE):
        moved = np.isfinite(s) & (s > 0.0) & np.isfinite(r)
        exponent = np.frexp(r[moved])[1].astype(np.int64)
        yield at, np.where(r[moved] == 0.0, 0, exponent - ZERO), 2.0 * np.log(s[moved]), moved


def _groups(count: np.ndarray) -> np.ndarray:
    """The group of each octave: octaves are joined, from small to large, until FEW elements have come together."""
    group, number, held = np.zeros(OCTAVES, np.int64), 0, 0.0
    for octave in np.flatnonzero(count):
        if held >= FEW and count[octave:].sum() >= FEW:
            number, held = number + 1, 0.0
        group[octave] = number
        held += count[octave]
    return group


def _prior(count: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d_0 / (d_0 + 7) and s_0^2 of each group, from the logarithms' count, mean and variance."""
    above = variance * (1.0 + CERTAINTY * np.sqrt((2.0 + KURTOSIS) / np.maximum(count, 1))) - SPREAD
    # psi'(x) lies above 1 / x + 1 / (2 x^2), and close: what solves that is below d_0 / 2, by a third at the most.
    above = np.maximum(above, 2.0 / KNOWN)
    half = (1.0 + np.sqrt(1.0 + 2.0 * above)) / (2.0 * above)
    half = np.where(count > 1, half, 0.5 / KNOWN)
    prior = np.exp(mean - _digamma_less_log(np.array(FREEDOM / 2)) + _digamma_less_log(half))
    return half / (half + FREEDOM / 2), prior


def _digamma_less_log(x: np.ndarray) -> np.ndarray:
    """psi(x) - log(x), by psi(x + 3)'s series: good to 1e-5."""
    y = x + 3.0
    psi = np.log(y) - 1 / (2 * y) - 1 / (12 * y**2) + 1 / (120 * y**4) - 1 / x - 1 / (x + 1) - 1 / (x + 2)
    return psi - np.log(x)
