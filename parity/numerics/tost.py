"""Whether two sets of seeds are shown to come from the same training: two one-sided tests (TOST)."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from parity.numerics.reading import FALSE_ALARMS
from parity.numerics.student import student_t, student_t_quantile

POWER = 0.9
"""With `needed` seeds a side, two sides that are truly the same are shown to be so nine times in ten."""


class Likeness(StrEnum):
    """What an equivalence test can say; UNDECIDED where the samples show neither.

    Examples:
        >>> equivalence([1.0, 1.1, 0.9], [1.1, 1.2, 1.0]).likeness is Likeness.UNDECIDED
        True
    """

    EQUIVALENT = "equivalent"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Equivalence:
    """What two samples say of the difference of their means; truthy where they are shown to be equivalent.

    Attributes:
        difference: Mean of the left sample less that of the right, in the samples' own unit.
        deviation: The pooled standard deviation of one value.
        margin: The largest difference that counts as none, in the same unit.
        p: Of the two one-sided tests, the larger; equivalent where it is at most alpha.
        p_different: Of Welch's two-sided test for a difference.
        interval: The difference's confidence interval of level 1 - 2 alpha; equivalent where it lies inside the margin.
        needed: Values a side with which samples that are truly the same would be shown so with 90% power.
        needed_to_tell: About how many would settle it with that power if the difference that was seen is the true one.
        sizes: Values on each side.
        likeness: The answer.
    """

    difference: float
    deviation: float
    margin: float
    p: float
    p_different: float
    interval: tuple[float, float]
    needed: int
    needed_to_tell: int
    sizes: tuple[int, int]
    likeness: Likeness

    def __bool__(self) -> bool:
        return self.likeness is Likeness.EQUIVALENT


def equivalence(
    left: Sequence[float] | np.ndarray,
    right: Sequence[float] | np.ndarray,
    *,
    margin: float = 1.0,
    alpha: float = 0.05,
    false_alarms: float = FALSE_ALARMS,
) -> Equivalence:
    """Show that two samples have the same mean, within a margin: two one-sided Welch tests (TOST).

    With d the difference of the means, e = sqrt(v_l / n_l + v_r / n_r) its standard error, M = margin sqrt((v_l + v_r)
    / 2) and nu Welch's degrees of freedom: equivalent when (M - |d|) / e exceeds Student's t quantile of 1 - alpha. The
    test has two sides, so a slower run fails as a faster one does; and few or noisy values fail too, which a test for a
    difference would pass. Different when |d| > M and |d| / e is beyond the quantile of the stated budget of false
    alarms. Neither is "undecided", which is no agreement.

    Args:
        left, right: One number a seed, such as final losses, of any lengths from 2 on; independent of each other.
        margin: What counts as the same, in pooled standard deviations of one value.
        alpha: Chance that two trainings exactly `margin` apart are called equivalent.
        false_alarms: Chance that two trainings that are the same are called different.

    Returns:
        The Equivalence.

    Raises:
        ValueError: If a sample has fewer than two values or one that is not finite, or an option is out of range.

    Examples:
        >>> same = equivalence([1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.1], [1.05, 0.95, 1.0, 1.1, 0.9, 1.0, 1.0], margin=2)
        >>> bool(same), same.needed
        (True, 7)
        >>> str(equivalence([1.0, 1.1, 0.9], [1.1, 1.2, 1.0]).likeness)
        'undecided'

    References:
        D. Schuirmann, A comparison of the two one-sided tests procedure and the power approach, 1987; B. L. Welch, The
        generalization of "Student's" problem when several different population variances are involved, 1947.
    """
    _validate(margin, alpha, false_alarms)
    x, y = _sample("left", left), _sample("right", right)
    difference = float(x.mean() - y.mean())
    parts = float(x.var(ddof=1)) / x.size, float(y.var(ddof=1)) / y.size
    deviation = math.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)
    allowed, error = margin * deviation, math.sqrt(sum(parts))
    sizes, needed = (x.size, y.size), values_needed(margin, alpha=alpha)
    if error == 0.0:
        # Neither sample varies (every seed takes ten steps), which leaves Student's t without a unit: the same value,
        # or two values whose seeds would be so divided by chance in 2 of binomial(n_l + n_r, n_l) ways.
        chance = 1.0 if difference == 0.0 else 2.0 / math.comb(x.size + y.size, x.size)
        likeness = Likeness.DIFFERENT if chance <= false_alarms else Likeness.UNDECIDED
        likeness = Likeness.EQUIVALENT if difference == 0.0 else likeness
        p = 0.0 if difference == 0.0 else 1.0
        return Equivalence(difference, 0.0, 0.0, p, chance, (difference, difference), needed, needed, sizes, likeness)
    freedom = error**4 / sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    p = student_t(-(allowed - abs(difference)) / error, freedom)
    p_different = 2 * student_t(-abs(difference) / error, freedom)
    reach = student_t_quantile(1 - alpha, freedom) * error
    likeness = Likeness.UNDECIDED
    if p <= alpha:
        likeness = Likeness.EQUIVALENT
    elif p_different <= false_alarms and abs(difference) > allowed:
        likeness = Likeness.DIFFERENT
    interval = (difference - reach, difference + reach)
    apart = abs(difference) / deviation
    further = _values_to_tell(apart, margin, alpha, false_alarms)
    return Equivalence(difference, deviation, allowed, p, p_different, interval, needed, further, sizes, likeness)


@functools.cache
def values_needed(margin: float, *, alpha: float = 0.05, power: float = POWER) -> int:
    """How many values a side show equivalence with this power where both means and variances are the same.

    The smallest n with 2 F(margin sqrt(n / 2) - t) - 1 >= power, F and t Student's distribution and its quantile of
    1 - alpha with 2 n - 2 degrees of freedom.

    Args:
        margin: In standard deviations.
        alpha: Of each one-sided test.
        power: Probability of success.

    Returns:
        n, at least 2.

    Examples:
        >>> [values_needed(margin) for margin in (0.5, 1.0, 1.5, 2.0)]
        [88, 23, 11, 7]
    """

    def succeeds(n: int) -> bool:
        freedom = 2.0 * n - 2.0
        return 2 * student_t(margin * math.sqrt(n / 2) - student_t_quantile(1 - alpha, freedom), freedom) - 1 >= power

    above = 2
    while not succeeds(above):
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        below, above = (below, middle) if succeeds(middle) else (middle, above)
    return above


def _values_to_tell(apart: float, margin: float, alpha: float, false_alarms: float) -> int:
    """Values a side that show samples so many deviations apart equivalent, or different; normal in place of t."""
    far = 1e6  # degrees of freedom at which Student's distribution is the normal one
    goal, room = (alpha, margin - apart) if apart < margin else (false_alarms / 2, apart)
    reach = student_t_quantile(1 - goal, far) + student_t_quantile(POWER, far)
    return max(2, math.ceil(2 * (reach / room) ** 2)) if room > 0 else 2


def _sample(name: str, values: Sequence[float] | np.ndarray) -> np.ndarray:
    sample = np.asarray(values, dtype=np.float64).reshape(-1)
    if sample.size < 2:
        raise ValueError(f"equivalence: the {name} sample has {sample.size} values, wanted 2 or more; run more seeds")
    if not np.isfinite(sample).all():
        count = int(np.count_nonzero(~np.isfinite(sample)))
        raise ValueError(
            f"equivalence: {count} of the {sample.size} {name} values are not finite, wanted numbers; "
            "count the runs that fail apart"
        )
    return sample


def _validate(margin: float, alpha: float, false_alarms: float) -> None:
    if not margin > 0:
        raise ValueError(f"equivalence: margin is {margin}, wanted more than 0 standard deviations, such as 1.0")
    for name, value in (("alpha", alpha), ("false_alarms", false_alarms)):
        if not 0 < value < 0.5:
            raise ValueError(f"equivalence: {name} is {value}, wanted a probability between 0 and 0.5, such as 0.05")
