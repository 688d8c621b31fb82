"""Student's t distribution in plain Python: its distribution function, and that turned around."""

import functools
import math


def student_t(t: float, freedom: float) -> float:
    """Student's distribution function.

    F(t) = 1 - I_x(nu / 2, 1 / 2) / 2 for t >= 0, with x = nu / (nu + t^2) and I the regularised incomplete beta
    function.

    Args:
        t: Where.
        freedom: nu, degrees of freedom, positive and up to some million.

    Returns:
        The probability of a value up to t; small ones are good to about 1e-12 relative.

    Examples:
        >>> round(student_t(2.0, 10.0), 10)
        0.9633059826
    """
    tail = 0.5 * _incomplete_beta(freedom / 2, t * t / freedom)
    return tail if t < 0 else 1.0 - tail


@functools.cache
def student_t_quantile(probability: float, freedom: float) -> float:
    """Where Student's distribution function has a value.

    Args:
        probability: Between 0 and 1.
        freedom: Degrees of freedom, positive.

    Returns:
        The t of that probability, by bisection.

    Examples:
        >>> round(student_t_quantile(0.95, 44.0), 6)
        1.68023
    """
    if probability < 0.5:
        return -student_t_quantile(1.0 - probability, freedom)
    tail, above = 1.0 - probability, 1.0
    while student_t(-above, freedom) > tail:
        above *= 2.0
    below = 0.0
    while True:
        middle = (below + above) / 2
        if middle in (below, above):
            return middle
        below, above = (middle, above) if student_t(-middle, freedom) > tail else (below, middle)


def _incomplete_beta(a: float, odds: float) -> float:
    """I_x(a, 1/2), regularised, with x = 1 / (1 + odds): nothing cancels where x is near one."""
    if odds == 0.0:
        return 1.0
    x, complement = 1.0 / (1.0 + odds), odds / (1.0 + odds)
    front = _log_gamma_of_half_more(a) - 0.5 * math.log(math.pi) - a * math.log1p(odds) + 0.5 * math.log(complement)
    if x < (a + 1) / (a + 2.5):
        return math.exp(front) * _beta_fraction(a, 0.5, x) / a
    return 1.0 - math.exp(front) * _beta_fraction(0.5, a, complement) / 0.5


def _log_gamma_of_half_more(a: float) -> float:
    """log(Gamma(a + 1/2) / Gamma(a)); from a thousand on by its series, where the two logarithms would cancel."""
    if a > 1000.0:
        return 0.5 * math.log(a) - 1 / (8 * a) + 1 / (192 * a**3)
    return math.lgamma(a + 0.5) - math.lgamma(a)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """1 / (1 + d_1 / (1 + d_2 / ...)), the fraction of the incomplete beta function (NIST DLMF 8.17.22), forwards."""
    value, above, below = 1.0, 1.0, 0.0
    for n in range(1, 10_000):
        m = n // 2
        if n % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        below = 1.0 / (1.0 + d * below)
        above = 1.0 + d / above
        value *= above * below
        if abs(above * below - 1.0) < 1e-15:
            break
    return 1.0 / value
