"""One side that amplifies rounding alone is told from two that do, and from luck."""

from dataclasses import replace

import numpy as np
from readings import X, noise, reading, verdict

from parity.numerics import Reading, Verdict, asymmetric
from parity.numerics.instability import further


def test_one_side_that_loses_ten_bits_more_than_the_other_is_unstable_and_named():
    made = reading(torch=noise(2.0**-10, 1), sensitivity=2.0**14 * X)  # torch's own noise, so its bound is wide
    assert asymmetric(made)
    assert verdict(made).verdict is Verdict.AGREE, "how far the inputs alone move it was not measured"
    found = verdict(replace(made, conditioning=X))
    assert (found.verdict, found.worse) == (Verdict.UNSTABLE, "torch")
    assert "3 digits less" in found.message
    assert verdict(replace(made, conditioning=2.0**14 * X)).verdict is Verdict.AGREE, "its inputs explain it"


def test_both_sides_that_lose_the_same_agree():
    made = reading(torch=noise(2.0**-10, 1), jax=noise(2.0**-10, 2), sensitivity=2.0**14 * X, conditioning=X)
    assert not asymmetric(made)
    assert verdict(made).verdict is Verdict.AGREE


def test_a_lucky_rounding_of_one_number_is_no_instability():
    one = np.array([1.0])
    made = Reading(one, one, one * (1 + 2.0**-12), one * (1 + 2.0**-24), "float32", 2.0**14, conditioning=one)
    assert not asymmetric(made)
    many = Reading(X, X, X * (1 + 2.0**-12), X * (1 + 2.0**-24), "float32", 2.0**14, conditioning=X)
    assert asymmetric(many)


def test_the_long_sum_of_one_side_is_no_instability():
    made = reading(torch=noise(2.0**-12, 1), sensitivity=2.0**14 * X, conditioning=X)
    assert verdict(made).verdict is Verdict.UNSTABLE
    assert verdict(replace(made, terms=1e6)).verdict is Verdict.AGREE, "a million terms one after the other"


def test_the_further_side_is_read_where_they_differ():
    torch, jax = X.copy(), X.copy()
    torch[0] *= 1.5  # elsewhere torch is far worse
    jax[7] *= 1.1
    assert further(reading(torch=torch, jax=jax), (7,)) == "jax"
    assert further(reading(torch=torch, jax=jax), (0,)) == "torch"
