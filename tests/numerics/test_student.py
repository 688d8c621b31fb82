"""Student's t by plain Python, beside its closed forms and a table."""

import math

import pytest

from parity.numerics.student import student_t, student_t_quantile

POINTS = (-40.0, -3.0, -0.5, 0.0, 1e-9, 1.0, 2.5, 12.0)


@pytest.mark.parametrize("t", POINTS)
def test_one_degree_of_freedom_is_cauchys_distribution(t):
    # the docstring states 1e-12 for small probabilities
    assert student_t(t, 1.0) == pytest.approx(0.5 + math.atan(t) / math.pi, rel=1e-12)


@pytest.mark.parametrize("t", POINTS)
def test_two_degrees_of_freedom_have_a_closed_form(t):
    # 1/2 + t / (2 sqrt(2 + t^2)), its lower tail written without cancellation
    root = math.sqrt(2 + t * t)
    expected = 1 / (root * (root - t)) if t < 0 else 1 - 1 / (root * (root + t))
    # that, and the roundings of the closed form
    assert student_t(t, 2.0) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("t", POINTS)
def test_many_degrees_of_freedom_are_the_normal_distribution(t):
    normal = 0.5 * math.erfc(-t / math.sqrt(2))
    # they differ by (t^3 + t) / (4 nu) of the density
    assert student_t(t, 1e6) == pytest.approx(normal, rel=1e-4, abs=1e-30)


@pytest.mark.parametrize(
    ("probability", "freedom", "printed"),
    # Student's table as every textbook has it
    [(0.95, 4, 2.132), (0.975, 10, 2.228), (0.99, 20, 2.528), (0.95, 120, 1.658), (0.9995, 2, 31.599)],
)
def test_quantiles_are_those_of_the_table(probability, freedom, printed):
    assert round(student_t_quantile(probability, freedom), 3) == printed
    # the table has three digits
    assert student_t_quantile(1 - probability, freedom) == pytest.approx(-printed, abs=1e-3)


def test_a_quantile_of_the_far_tail_comes_back():
    # 1 - 5e-7 has rounded by 1e-16, 2e-10 of the tail
    assert student_t(-student_t_quantile(1 - 5e-7, 12.5), 12.5) == pytest.approx(5e-7, rel=1e-6)
