"""The verdict rule on made-up readings: each verdict from what defines it, and honest rounding called nothing else."""

import numpy as np
import pytest

from parity.numerics import CurveReading, Reading, Verdict, confidence_factor, judge, judge_curve, worst

U64, U32 = 2.0**-53, 2.0**-24
X = np.linspace(0.5, 2.0, 1001)


def noise(scale, seed):
    return X * (1 + scale * np.random.default_rng(seed).uniform(-1, 1, X.shape))


def reading(torch64=X, jax64=X, torch=None, jax=None, **options):
    torch = noise(U32, 1) if torch is None else torch
    jax = noise(U32, 2) if jax is None else jax
    return Reading(torch64, jax64, torch, jax, "float32", **options)


def verdict(made):
    return judge(made, stage="forward", torch_path="y", jax_path="y")


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


def test_the_false_alarm_budget_holds_for_gaussian_rounding():
    # 200 honest comparisons of 1,001 elements, errors drawn at twice the size that the bound assumes for one side.
    alarms = sum(not verdict(reading(jax64=noise(2 * U64, s), jax=noise(2 * U32, 1000 + s))) for s in range(200))
    assert alarms == 0


def test_lambda_is_what_the_reference_states():
    assert [round(confidence_factor(n), 1) for n in (10_000, 1_000_000, 10**9)] == [6.9, 7.5, 8.4]


def test_the_worst_of_findings_decides():
    assert worst([]) is Verdict.AGREE
    assert worst([verdict(reading()), verdict(reading(torch=noise(2.0**-11, 1)))]) is Verdict.PRECISION


STEPS = np.arange(1000)
CURVE = np.exp(-STEPS / 300.0)


def curve(jax64=CURVE, torch=CURVE, jax=CURVE, growth=1.0):
    sensitivity = CURVE * growth**STEPS
    return judge_curve(
        CurveReading(CURVE, jax64, torch, jax, "float32", sensitivity, 100.0), torch_path="l", jax_path="l"
    )


def test_a_curve_within_its_growing_bound_agrees_to_the_end():
    found = curve(jax64=CURVE * (1 + U64 * STEPS**0.5))
    assert found.verdict is Verdict.AGREE
    assert found.horizon == 1000


def test_a_curve_is_compared_no_further_than_its_growth_allows():
    wild = CURVE.copy()
    wild[900:] *= 2
    found = curve(jax64=wild, growth=1.05)
    assert found.verdict is Verdict.AGREE
    assert 200 < found.horizon < 900


@pytest.mark.parametrize("step", [0, 1, 250, 999])
def test_a_curve_that_parts_is_told_with_its_first_step(step):
    parted = CURVE.copy()
    parted[step:] *= 1 + 1e-9
    found = curve(jax64=parted)
    assert found.verdict is Verdict.SEMANTIC
    assert found.step == step


def test_float32_curves_that_part_are_a_remark_not_a_verdict():
    found = curve(torch=CURVE + 0.3, jax=CURVE + 0.2)
    assert found.verdict is Verdict.AGREE
    assert "torch 0.3, jax 0.2" in found.note


def test_counts_are_equal_at_float64_or_part_at_a_step():
    counts = np.array([208, 255, 281])
    other = np.array([208, 254, 281])

    def judged(jax64, jax):
        return judge_curve(
            CurveReading(counts, jax64, counts, jax, "float32", np.zeros(3), 1.0), torch_path="c", jax_path="c"
        )

    assert judged(counts, other).verdict is Verdict.AGREE
    assert "1 of 3 differ" in judged(counts, other).note
    assert (judged(other, counts).verdict, judged(other, counts).step) == (Verdict.SEMANTIC, 1)


def test_a_curve_without_steps_is_refused():
    none = np.zeros(0)
    with pytest.raises(ValueError, match="got no steps"):
        judge_curve(CurveReading(none, none, none, none, "float32", none, 1.0), torch_path="l", jax_path="l")
