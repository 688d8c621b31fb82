"""The rule on made-up readings: each verdict from what defines it, and honest rounding called nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from readings import U32, U64, X, noise, reading, verdict

from parity.numerics import Reading, Verdict


def test_rounding_at_both_precisions_agrees():
    found = verdict(reading(jax64=noise(U64, 3)))
    assert found.verdict is Verdict.AGREE
    assert found.ratio64 < 1
    assert found.ratio < 1


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-6, 1e-3, 1.0])
def test_a_gap_that_does_not_shrink_is_a_different_formula(size):
    # Below 1e-7 float32 alone cannot see it: the float32 runs differ by rounding only.
    found = verdict(reading(jax64=X * (1 + size), jax=noise(U32, 2) * (1 + size)))
    assert found.verdict is Verdict.SEMANTIC
    assert "does not shrink" in found.message


def test_one_wrong_element_is_enough():
    wrong = X.copy()
    wrong[500] *= 1 + 1e-9
    found = verdict(reading(jax64=wrong))
    assert found.verdict is Verdict.SEMANTIC
    assert found.errors64.index == (500,)


def test_a_gap_that_shrinks_as_rounding_does_is_an_unstable_side():
    found = verdict(reading(jax64=noise(1e4 * U64, 3), jax=noise(1e4 * U32, 2)))
    assert found.verdict is Verdict.UNSTABLE
    assert found.worse == "jax"


def test_a_gap_at_the_working_dtype_alone_is_its_precision():
    found = verdict(reading(torch=noise(2.0**-11, 1)))
    assert found.verdict is Verdict.PRECISION
    assert found.worse == "torch"


def test_the_sensitivity_of_a_function_widens_its_bound():
    jax64 = noise(50 * U64, 3)
    assert verdict(reading(jax64=jax64)).verdict is Verdict.UNSTABLE
    assert verdict(reading(jax64=jax64, sensitivity=50 * X)).verdict is Verdict.AGREE


def test_nan_and_infinity_must_stand_at_the_same_places():
    both = X.copy()
    both[3], both[4] = np.nan, np.inf
    assert verdict(reading(both, both, both, both)).verdict is Verdict.AGREE
    one = both.copy()
    one[3] = 1.0
    found = verdict(reading(both, one, both, one))
    assert found.verdict is Verdict.SEMANTIC
    assert "1 NaN only in torch" in found.message
    sign = both.copy()
    sign[4] = -np.inf
    assert verdict(reading(both, both, both, sign)).verdict is Verdict.PRECISION


def test_an_unmeasurable_bound_lets_only_equality_pass():
    assert verdict(reading(jax64=noise(U64, 3), sensitivity=np.full_like(X, np.nan))).verdict is not Verdict.AGREE
    assert verdict(Reading(X, X, X, X, "float32", np.full_like(X, np.nan))).verdict is Verdict.AGREE


def test_integers_are_exact_and_differ_only_where_rounding_decides():
    a, b = np.array([1, 2, 3]), np.array([1, 2, 4])
    assert verdict(Reading(a, b, a, b, "float32")).verdict is Verdict.SEMANTIC
    assert verdict(Reading(a, a, a, b, "float32")).verdict is Verdict.PRECISION
    tied = np.array([False, False, True])
    found = verdict(Reading(a, a, a, b, "float32", flips=tied))
    assert found.verdict is Verdict.AGREE
    assert found.note == "ties within the bound"
    assert verdict(Reading(a, a, a, b, "float32", flips=~tied)).verdict is Verdict.PRECISION


def test_power_says_the_smallest_error_that_would_pass():
    found = verdict(reading())
    below, above = 0.5 * found.power, 2.0 * found.power
    assert verdict(reading(jax64=X * (1 + below))).verdict is Verdict.AGREE
    assert verdict(reading(jax64=X * (1 + above))).verdict is not Verdict.AGREE
    zeros = np.zeros(3)
    assert verdict(Reading(zeros, zeros, zeros, zeros, "float32")).power == np.inf


def test_float64_alone_still_tells_a_different_formula():
    found = verdict(Reading(X, X * (1 + 1e-9), X, X * (1 + 1e-9), "float64"))
    assert found.verdict is Verdict.SEMANTIC


def test_indices_that_differ_where_values_tie_are_a_convention_and_not_accepted_unseen():
    left, right = np.array([1, 0, 2]), np.array([1, 2, 0])
    made = Reading(left, right, left, right, "float32", ties=np.array([False, True, True]))
    found = verdict(made)
    assert found.verdict is Verdict.CONVENTION
    assert not found
    assert verdict(replace(made, ties=np.array([False, True, False]))).verdict is Verdict.SEMANTIC


def test_a_lower_reference_is_judged_by_what_it_can_hold_and_says_so():
    why = "jax: pure_callback gives float32 at model.py:12 (forward)"
    honest = reading(jax64=noise(U32, 3), reference="float32", narrow=why)
    assert verdict(honest).verdict is Verdict.AGREE
    assert verdict(honest).note == why
    assert 1e-7 < verdict(honest).power < 1e-5
    assert verdict(replace(honest, reference="float64")).verdict is not Verdict.AGREE
    assert verdict(replace(honest, jax64=X * (1 + 1e-4))).verdict is Verdict.SEMANTIC


def test_both_parts_of_a_complex_number_err_as_its_modulus_does():
    z = np.stack([np.ones(100), np.zeros(100)], axis=-1)
    off = z + np.array([0.0, 3 * U64])
    assert verdict(Reading(z, off, z, z, "float32", pairs=True)).verdict is Verdict.AGREE
    assert verdict(Reading(z, off, z, z, "float32")).verdict is not Verdict.AGREE


def test_an_overflow_is_a_difference_unless_the_bound_reaches_it():
    big = np.array([65504.0, 1.0])
    over = np.array([np.inf, 1.0])
    edge = np.array([65510.0, 1.0])
    assert verdict(Reading(edge, edge, big, over, "float16")).verdict is Verdict.AGREE
    low = np.array([6550.0, 1.0])
    assert verdict(Reading(low, low, low, over, "float16")).verdict is Verdict.PRECISION
    assert verdict(Reading(edge, edge, -over, over, "float16")).verdict is Verdict.PRECISION
