"""Equivalence over seeds: what is the same is shown so, what is not never passes, whichever side is the slower."""

import numpy as np
import pytest

from parity.numerics.tost import Likeness, equivalence, values_needed

TRIALS = 200


def answers(shift: float, *, seeds: int, margin: float = 1.0, spread: float = 1.0, **options) -> list[Likeness]:
    rng = np.random.default_rng(0)
    return [
        equivalence(rng.normal(size=seeds), rng.normal(shift, spread, size=seeds), margin=margin, **options).likeness
        for _ in range(TRIALS)
    ]


def share(found: list[Likeness], wanted: Likeness) -> float:
    return found.count(wanted) / len(found)


def test_the_seeds_that_are_needed_are_those_that_were_measured():
    assert [values_needed(margin) for margin in (0.5, 1.0, 1.5, 2.0)] == [88, 23, 11, 7]


@pytest.mark.parametrize(("margin", "seeds"), [(0.5, 88), (1.0, 23), (2.0, 7)])
def test_so_many_seeds_show_it_nine_times_in_ten(margin, seeds):
    # three standard deviations of a share of 200
    assert share(answers(0.0, seeds=seeds, margin=margin), Likeness.EQUIVALENT) == pytest.approx(0.9, abs=0.064)


@pytest.mark.parametrize("shift", [-1.0, 1.0])
@pytest.mark.parametrize("spread", [1.0, 1.5])
def test_a_difference_of_the_margin_passes_once_in_twenty_in_either_direction(shift, spread):
    shift *= np.sqrt((1 + spread**2) / 2)
    assert share(answers(shift, seeds=23, spread=spread), Likeness.EQUIVALENT) < 0.05 + 0.047


def test_what_is_the_same_is_not_called_different_and_what_is_far_apart_is():
    assert Likeness.DIFFERENT not in answers(0.0, seeds=23)
    assert share(answers(4.0, seeds=23), Likeness.DIFFERENT) > 0.9
    # past the margin too, which is 3.4 standard errors here
    assert share(answers(0.0, seeds=23, false_alarms=0.4), Likeness.DIFFERENT) < 0.01


def test_few_seeds_show_nothing_where_a_test_for_a_difference_would_pass():
    few = equivalence([1.0, 1.2, 0.9], [1.1, 1.0, 1.2])
    assert few.likeness is Likeness.UNDECIDED
    assert not few
    assert few.p_different > 0.05
    assert few.needed == 23


def test_numbers_are_welchs():
    left, right = np.arange(10.0), 0.5 * np.arange(16.0) + 2
    found = equivalence(left, right, margin=1.0)
    part = left.var(ddof=1) / 10, right.var(ddof=1) / 16
    assert found.difference == pytest.approx(left.mean() - right.mean())
    assert found.margin == pytest.approx(np.sqrt((left.var(ddof=1) + right.var(ddof=1)) / 2))
    half = (found.interval[1] - found.interval[0]) / 2
    assert 1.70 < half / np.sqrt(sum(part)) < 1.80  # Student's 0.95 quantile for some 15 degrees of freedom
    assert (found.p <= 0.05) == (-found.margin < found.interval[0] and found.interval[1] < found.margin)


def test_more_seeds_are_asked_for_where_the_difference_seen_is_near_the_margin():
    rng = np.random.default_rng(1)
    base = rng.normal(size=40)
    near = equivalence(base, base + 0.8 * base.std(ddof=1))
    assert near.likeness is Likeness.UNDECIDED
    assert near.needed_to_tell > 10 * near.needed


def test_values_that_do_not_vary_are_equal_or_not():
    assert equivalence([10.0] * 5, [10.0] * 5)
    assert equivalence([10.0] * 23, [12.0] * 23).likeness is Likeness.DIFFERENT
    assert equivalence([10.0] * 3, [12.0] * 3).likeness is Likeness.UNDECIDED  # so divided by chance once in ten


@pytest.mark.parametrize(
    ("left", "options", "said"),
    [
        ([1.0], {}, "left sample has 1 values, wanted 2"),
        ([1.0, np.nan, np.inf], {}, "2 of the 3 left values are not finite"),
        ([1.0, 2.0], {"margin": 0.0}, "margin is 0.0"),
        ([1.0, 2.0], {"alpha": 0.5}, "alpha is 0.5"),
    ],
)
def test_what_cannot_be_tested_is_refused_in_words(left, options, said):
    with pytest.raises(ValueError, match=said):
        equivalence(left, [1.0, 2.0], **options)
