"""The bound of a reading, and what a tensor without power is told to be."""

import numpy as np
from readings import U32, U64, X, noise, reading, verdict

from parity.numerics import Reading, Verdict, bound, confidence_factor


def test_lambda_is_what_the_reference_states():
    assert [round(confidence_factor(n), 1) for n in (10_000, 1_000_000, 10**9)] == [6.9, 7.5, 8.4]


def test_the_false_alarm_budget_holds_for_gaussian_rounding():
    # 200 honest comparisons of 1,001 elements, errors drawn at twice the size that the bound assumes for one side.
    alarms = sum(not verdict(reading(jax64=noise(2 * U64, s), jax=noise(2 * U32, 1000 + s))) for s in range(200))
    assert alarms == 0


def test_a_tensor_that_is_zero_but_for_rounding_has_no_power_and_is_no_finding():
    zero = 1e-17 * (X - 1.2)
    made = Reading(zero, -zero, 1e-9 * X, 0 * X, "float32", np.full_like(X, 1.0))
    found = verdict(made)
    assert found.verdict is Verdict.AGREE
    assert found.powerless
    assert found.message.startswith("zero but for rounding")
    assert not verdict(reading()).powerless


def test_why_a_tensor_has_no_power_is_told_as_it_is():
    none, zero = np.zeros(0), np.zeros(3)
    assert "empty" in verdict(Reading(none, none, none, none, "float32")).message
    assert verdict(Reading(zero, zero, zero, zero, "float32")).message.startswith("zero on both sides")
    assert "past all numbers" in verdict(reading(sensitivity=np.full_like(X, np.inf))).message


def test_the_working_dtypes_bound_rests_on_errors_of_its_own_size():
    made = Reading(X, X, X, X * 1.1, "bfloat16")
    assert verdict(made).verdict is Verdict.PRECISION
    assert verdict(Reading(X, X, X, X * 1.1, "bfloat16", coarse=20 * X)).verdict is Verdict.AGREE


def test_the_bound_of_a_part_is_that_of_the_complex_number():
    z = np.array([[3.0, 4.0]])
    whole, parts = (bound(z, 0.0, "float64", 1.0, pairs=p) for p in (True, False))
    assert np.allclose(whole, 2 * U64 * 5.0)
    assert np.allclose(parts, 2 * U64 * z)
