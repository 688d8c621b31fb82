"""Formats and rounding, against the libraries that know them."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.numerics import FORMATS, float_format, round_to


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_what_the_library_says(name):
    info = ml_dtypes.finfo(name)
    form = float_format(name)
    assert form.unit_roundoff == float(info.eps) / 2
    assert form.smallest_normal == float(info.smallest_normal)
    assert form.bits == info.bits


@settings(max_examples=300, deadline=None)
@given(st.floats(width=64, allow_nan=True, allow_infinity=True), st.sampled_from(sorted(FORMATS)))
def test_rounding_is_to_nearest_ties_to_even(value, name):
    with np.errstate(over="ignore"):
        # ml_dtypes goes to bfloat16 through float32, which rounds twice: asked only where the first step is exact.
        if name == "bfloat16" and float(np.float32(value)) != value:
            value = float(np.float32(value))
        wanted = np.float64(value).astype(name).astype(np.float64)
    got = round_to(np.array([value]), name)[0]
    assert got == wanted or (np.isnan(got) and np.isnan(wanted))


def test_bfloat16_is_rounded_once():
    # Just above the middle of two bfloat16 numbers; through float32 it would fall on the middle and go to even, down.
    value = 1.0 + 2.0**-8 + 2.0**-40
    assert round_to(np.array([value]), "bfloat16")[0] == 1.0 + 2.0**-7
    assert float(np.float32(value).astype(ml_dtypes.bfloat16)) == 1.0


def test_an_unknown_dtype_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"got 'float31', wanted one of float64, float32, bfloat16, float16"):
        float_format("float31")


def test_spacing_is_one_unit_in_the_last_place():
    for name in ("float64", "float32", "float16"):
        value = np.dtype(name).type(3.0)
        assert float_format(name).spacing(3.0) == float(np.spacing(value))
