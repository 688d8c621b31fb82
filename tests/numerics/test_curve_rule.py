"""The rule for training curves on made-up readings."""

import numpy as np
import pytest

from parity.numerics import CurveReading, Verdict, judge_curve

U64, U32 = 2.0**-53, 2.0**-24
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


def test_a_curve_that_parts_tells_the_first_step_and_the_worst():
    parted = CURVE.copy()
    parted[250:] *= 1 + 1e-9 * (1 + np.arange(750))
    found = curve(jax64=parted)
    assert found.message.startswith("the curves part at step 250: torch 0.43")
    assert found.message.endswith("x at step 549")


def test_float32_curves_that_part_are_a_remark_not_a_verdict():
    found = curve(torch=CURVE + 0.3, jax=CURVE + 0.2)
    assert found.verdict is Verdict.AGREE
    assert "torch 0.3, jax 0.2" in found.note
    assert found.own_ratio == pytest.approx(1.5)


def test_distances_from_float64_are_told_before_rounding_has_grown_and_after():
    # the same noise on both sides until rounding has grown, then another run on the torch side
    noise = 1e-7 * np.cos(STEPS)
    torch = CURVE + 4 * noise
    torch[900:] += 0.5
    found = curve(torch=torch, jax=CURVE + noise, growth=1.02)
    assert found.verdict is Verdict.AGREE
    assert found.own_ratio == pytest.approx(4.0)
    before, after = found.note.split(";")
    assert "torch 2.8e-07, jax 7.1e-08 over the " in before
    assert "torch 0.16, jax 7.1e-08 over all 1,000" in after


def test_a_side_that_is_exact_or_not_finite_has_no_finite_ratio():
    assert np.isnan(curve().own_ratio)
    assert curve(torch=CURVE + 1e-7).own_ratio == np.inf
    lost = CURVE.copy()
    lost[3] = np.nan
    assert curve(torch=lost, jax=CURVE + 1e-7).own_ratio == np.inf


def test_a_dtype_in_which_the_first_step_is_lost_already_has_no_ratio():
    reading = CurveReading(CURVE, CURVE, CURVE + 0.1, CURVE, "bfloat16", CURVE, 100.0)
    found = judge_curve(reading, torch_path="l", jax_path="l")
    assert np.isnan(found.own_ratio)
    assert "over all 1,000" in found.note


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
