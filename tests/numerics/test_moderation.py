"""A sensitivity of eight runs, moderated: the budget of false alarms holds; elements learn from their like alone."""

import math
import tracemalloc

import numpy as np
import pytest

from parity.numerics import FALSE_ALARMS, confidence_factor, moderation
from parity.numerics.moderation import FREEDOM, SHARE, moderated, student_factor
from parity.numerics.student import student_t

N = 100_000

# The true size of each element's error, beside r: all alike, in proportion, spread as the model says, by decades, in
# two kinds, and one in a thousand at a kink.
SIZES = {
    "alike": lambda rng, r: np.ones_like(r),
    "proportional": lambda rng, r: np.abs(r),
    "d_0 = 3": lambda rng, r: np.sqrt(3 / rng.chisquare(3, r.size)),
    "decades": lambda rng, r: 10 ** rng.uniform(-6, 0, r.size),
    "two kinds": lambda rng, r: np.where(rng.random(r.size) < 0.5, 1, 1e-3),
    "a few kinks": lambda rng, r: np.where(rng.random(r.size) < 1e-3, 1e6, 1.0),
}


def measured(rng, sigma):
    """What eight runs would measure of it."""
    return sigma * np.sqrt(rng.chisquare(FREEDOM, sigma.shape) / FREEDOM)


def expected_alarms(kind, budget, *, raised):
    """Of the elements of an honest tensor, how many lie beyond its bound on average, given what eight runs measured.

    With |r| left out of the bound, and each side's errors SHARE of what the runs are drawn from. A normal number is
    beyond x standard deviations with probability erfc(x / sqrt(2)).
    """
    rng, lam = np.random.default_rng(0), confidence_factor(N, budget)
    r = rng.normal(size=N)
    sigma = SIZES[kind](rng, r)
    s = measured(rng, sigma)
    bound = 2.0 * lam * (moderated(s, r, lam, N, budget) if raised else s)
    return sum(map(math.erfc, bound / (2.0 * SHARE * sigma)))


@pytest.mark.parametrize("budget", [1e-2, FALSE_ALARMS])
@pytest.mark.parametrize("kind", SIZES)
def test_the_budget_of_false_alarms_holds_however_the_errors_are_spread(kind, budget):
    assert expected_alarms(kind, budget, raised=True) <= budget
    assert expected_alarms(kind, budget, raised=False) > budget, "as measured it holds too, so this shows nothing"


@pytest.mark.parametrize("freedom", [7.0, 8.0, 12.0, 30.0, 1e3, 1e6])
@pytest.mark.parametrize("tail", [1e-4, 1e-7, 1e-10, 1e-13, 1e-16])
def test_the_factor_is_students_quantile_or_a_little_more(freedom, tail):
    quantile = math.sqrt(2.0) / SHARE * float(student_factor(1, 2 * tail, np.array(freedom)))
    # From above, but for the last digits; an eighth more at 7 degrees and 1e-13, a fifth at 1e-16.
    assert student_t(-quantile, freedom) <= tail * (1 + 1e-6)
    assert student_t(-quantile / 1.21, freedom) > tail


@pytest.mark.parametrize("freedom", [0.5, 4.0, 40.0])
def test_the_prior_is_that_which_the_elements_were_drawn_from(freedom):
    rng = np.random.default_rng(0)
    log = 2 * np.log(measured(rng, 3 * np.sqrt(freedom / rng.chisquare(freedom, 100_000))))
    share, prior = moderation._prior(np.array([log.size]), log.mean(keepdims=True), log.var(keepdims=True))
    found = FREEDOM * share / (1 - share)
    # Below d_0, by a third at most, for what is solved lies above psi'; and by what the spread is taken larger.
    assert 0.6 * freedom < found < freedom
    # s_0 goes with the d_0 that was found, since both give the mean of the logarithm: from d_0 = 4 on a d_0 that is a
    # third too low takes a tenth from it.
    assert np.sqrt(prior) == pytest.approx(3.0, rel=0.1) if freedom > 1 else prior < 9.0


def test_what_lies_too_low_by_chance_is_raised_to_its_likes_and_nothing_falls():
    s = np.r_[np.ones(999), 0.01]
    raised = moderated(s, np.ones(1000), 6.5, 1000, 1e-6)
    assert (raised >= s).all()
    assert raised[-1] > 0.9
    assert raised[:-1].max() < 1.3


def test_an_element_learns_nothing_from_those_of_another_size():
    r = np.r_[np.ones(500), np.full(500, 1e-12)]
    raised = moderated(r, r, 6.5, 1000, 1e-6)
    assert (raised[500:] < 1.3e-12).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_elements_know_nothing_of_each_other_and_keep_students_seven_degrees(n):
    lam, r = confidence_factor(n), np.ones(n)
    s = 1e6 ** np.arange(n)
    width = float(student_factor(n, 1e-6, np.array(float(FREEDOM)))) / lam
    # d_0 is a tenth and less here, and adds that to seven
    assert moderated(s, r, lam, n, 1e-6) == pytest.approx(width * s, rel=0.05)


def test_what_no_run_moved_stays_and_what_has_no_bound_has_none():
    s = np.r_[np.ones(100), 0.0, np.inf, np.nan]
    raised = moderated(s, np.ones(103), 6.5, 103, 1e-6)
    assert raised[100] == 0.0
    assert np.isinf(raised[101])
    assert np.isnan(raised[102])
    assert (raised[:100] == moderated(s[:100], np.ones(100), 6.5, 103, 1e-6)).all()
    assert moderated(np.zeros((0, 3)), np.zeros((0, 3)), 6.5, 0, 1e-6).shape == (0, 3)


def test_pieces_and_layouts_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    r = rng.normal(size=(40, 50))
    s = measured(rng, np.abs(r))
    whole = moderated(s, r, 6.5, r.size, 1e-6)
    monkeypatch.setattr(moderation, "PIECE", 64)
    # sums of logarithms come in another order
    assert moderated(s, r, 6.5, r.size, 1e-6) == pytest.approx(whole, rel=1e-9)
    assert moderated(np.asfortranarray(s), np.asfortranarray(r), 6.5, r.size, 1e-6) == pytest.approx(whole, rel=1e-9)


def test_the_extra_memory_does_not_depend_on_the_size():
    def extra(n):
        r = np.linspace(1, 2, n)
        tracemalloc.start()
        moderated(r, r, 6.5, n, 1e-6)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - r.nbytes

    assert extra(1 << 20) < 1.1 * extra(1 << 17) < 4 << 20
