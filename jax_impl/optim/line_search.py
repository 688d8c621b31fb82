"""A line search for the strong Wolfe conditions, in numbers alone: no framework, one text for both sides."""

from collections import namedtuple
from collections.abc import Callable

import numpy as np

__all__ = ["Point", "cubic_minimum", "strong_wolfe"]

# a step length t, the cost f there, its gradient g (which the search only hands on), and its slope along the line
Point = namedtuple("Point", ["t", "f", "g", "slope"])


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with their slopes has its minimum.

    Args:
        a, b: two points.
        bounds: the smallest and the largest answer; those of the points where None.

    Returns:
        The minimum, brought within the bounds; the middle of them where the cubic has none.

    Examples:
        >>> float(cubic_minimum(Point(0.0, 1.0, None, -2.0), Point(3.0, 4.0, None, 4.0)))
        1.0

    References:
        J. Nocedal and S. J. Wright, "Numerical Optimization" (2006), equation 3.59.
    """
    low, high = bounds or sorted((a.t, b.t))
    left, right = (a, b) if a.t <= b.t else (b, a)
    with np.errstate(all="ignore"):  # equal points give NaN, which the comparisons pass on as torch's do
        left_t, left_slope = np.float64(left.t), np.float64(left.slope)
        d1 = left_slope + right.slope - 3 * (a.f - b.f) / (np.float64(a.t) - b.t)
        square = d1 * d1 - left_slope * right.slope
        if not square >= 0:
            return (low + high) / 2
        d2 = np.sqrt(square)
        minimum = right.t - (right.t - left_t) * ((right.slope + d2 - d1) / (right.slope - left_slope + 2 * d2))
    return min(max(minimum, low), high)


def strong_wolfe(
    evaluate: Callable[[float], Point],
    origin: Point,
    t: float,
    *,
    size: float,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
    max_ls: int = 25,
) -> tuple[Point, int]:
    """Find a step that lowers the cost enough and leaves little slope.

    f(t) <= f(0) + c1 t f'(0)           and             |f'(t)| <= c2 |f'(0)|

    First the step grows until two points bracket such a one; then the bracket shrinks, by cubic interpolation, around
    it. The choices on the way are torch's, step for step.

    Args:
        evaluate: evaluate(t), the point at step t.
        origin: the point at 0, of negative slope.
        t: the first step to try.
        size: the largest element of the direction; a bracket narrower than tolerance_change / size ends the search.
        c1, c2: the two conditions' constants.
        tolerance_change: as above.
        max_ls: how many steps to try at most after the first.

    Returns:
        The best point found, and how often the cost was evaluated.

    Examples:
        >>> line = lambda t: Point(t, (t - 3.0) ** 2, None, 2 * (t - 3.0))
        >>> best, evaluations = strong_wolfe(line, line(0.0), 1.0, size=1.0)
        >>> float(best.t), evaluations
        (1.0, 1)

    References:
        J. Nocedal and S. J. Wright, "Numerical Optimization" (2006), algorithms 3.5 and 3.6; M. Schmidt, minFunc.
    """

    def too_high(point: Point) -> bool:
        return point.f > origin.f + c1 * point.t * origin.slope

    previous, point, tries = origin, evaluate(t), 0
    while tries < max_ls:
        if too_high(point) or (tries > 1 and point.f >= previous.f):
            break
        if abs(point.slope) <= -c2 * origin.slope:
            return point, tries + 1
        if point.slope >= 0:
            break
        bounds = (point.t + 0.01 * (point.t - previous.t), point.t * 10)
        previous, point = point, evaluate(cubic_minimum(previous, point, bounds))
        tries += 1
    else:
        previous = origin

    bracket, stalled = [previous, point], False
    low = 0 if bracket[0].f <= bracket[1].f else 1
    while tries < max_ls and not abs(bracket[1].t - bracket[0].t) * size < tolerance_change:
        t, left, right = cubic_minimum(bracket[0], bracket[1]), min(p.t for p in bracket), max(p.t for p in bracket)
        margin = 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        if near and (stalled or t >= right or t <= left):
            t, stalled = (right - margin if abs(t - right) < abs(t - left) else left + margin), False
        else:
            stalled = near
        point = evaluate(t)
        tries += 1
        if too_high(point) or point.f >= bracket[low].f:
            bracket[1 - low] = point
            low = 0 if bracket[0].f <= bracket[1].f else 1
            continue
        if abs(point.slope) <= -c2 * origin.slope:
            return point, tries + 1
        if point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
    return bracket[low], tries + 1
