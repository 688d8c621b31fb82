"""The comparator against a plain computation of every statistic, whatever the shapes, layouts, NaN and infinities."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from parity.numerics import errors
from parity.numerics.comparator import CHUNK

floats = st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=False)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)


def plainly(left, right):
    """max_abs, rms, bias and the mismatches, each by one line over the whole arrays."""
    a, b = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
    finite = np.isfinite(a) & np.isfinite(b)
    d = a[finite] - b[finite]
    return {
        "max_abs": float(np.abs(d).max()) if d.size else 0.0,
        "rms": math.sqrt(float(np.mean(d * d))) if d.size else 0.0,
        "bias": float(d.mean()) if d.size else 0.0,
        "nan_left_only": int((np.isnan(a) & ~np.isnan(b)).sum()),
        "nan_right_only": int((np.isnan(b) & ~np.isnan(a)).sum()),
        "inf_mismatch": int(((np.isinf(a) | np.isinf(b)) & ~np.isnan(a) & ~np.isnan(b) & (a != b)).sum()),
        "bit_equal": int(((a == b) | (np.isnan(a) & np.isnan(b))).sum()),
    }


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_statistic_is_what_a_plain_computation_gives(data):
    shape = data.draw(shapes)
    left = data.draw(hnp.arrays(np.float32, shape, elements=floats))
    right = data.draw(hnp.arrays(np.float32, shape, elements=floats))
    keep = data.draw(hnp.arrays(np.bool_, shape))
    right = np.where(keep, left, right)
    if data.draw(st.booleans()):
        left, right = left.T, right.T
    found, wanted = errors(left, right), plainly(left, right)
    for name, value in wanted.items():
        # Sums in another order: a few roundings of float64 apart.
        assert getattr(found, name) == pytest.approx(value, rel=1e-12), name
    assert found.count == left.size
    if found.index is not None and wanted["max_abs"] > 0:
        assert abs(float(left[found.index]) - float(right[found.index])) == found.max_abs


@pytest.mark.parametrize("at", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 6])
def test_one_wrong_element_is_found_wherever_it_stands(at):
    left = np.ones(3 * CHUNK + 7, np.float32)
    right = left.copy()
    right[at] = np.nextafter(np.float32(1), np.float32(2))
    found = errors(left, right)
    assert (found.index, found.max_ulp, found.count - found.bit_equal) == ((at,), 1.0, 1)


def test_nan_in_one_chunk_does_not_hide_a_difference_in_it_or_elsewhere():
    left, right = np.zeros(2 * CHUNK), np.zeros(2 * CHUNK)
    left[3] = right[3] = np.nan
    right[5] = 0.5
    right[CHUNK + 1] = 0.25
    found = errors(left, right)
    assert (found.index, found.max_abs, found.nonfinite_mismatch) == ((5,), 0.5, 0)


def test_a_value_too_large_to_square_is_compared_all_the_same():
    found = errors(np.array([1e300, 1.0]), np.array([-1e300, 1.0]))
    assert found.max_abs == 2e300
    assert found.index == (0,)


def test_each_side_is_measured_against_the_reference():
    found = errors(np.array([1.0, 2.0]), np.array([1.25, 2.0]), np.array([1.0, 1.5]))
    assert (found.left_error, found.right_error) == (0.5, 0.5)
    found = errors(np.array([1.0]), np.array([3.0]), np.array([2.5]))
    assert (found.left_error, found.right_error) == (1.5, 0.5)


@pytest.mark.parametrize(("left", "count"), [(np.zeros((0, 3)), 0), (np.float64(2.0), 1)])
def test_empty_and_zero_dimensional_arrays_are_compared(left, count):
    found = errors(np.asarray(left), np.asarray(left))
    assert (found.count, found.bit_equal, found.max_abs) == (count, count, 0.0)
    assert found.index == (None if count == 0 else ())


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"differ in shape: \(2,\), \(3,\)"):
        errors(np.zeros(2), np.zeros(3))


def test_the_extra_memory_does_not_depend_on_the_size():
    rng = np.random.default_rng(0)
    left = rng.standard_normal(4_000_000, dtype=np.float32)
    right = np.nextafter(left, np.float32(0))
    tracemalloc.start()
    errors(left, right)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6
