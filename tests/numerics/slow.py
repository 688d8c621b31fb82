"""A comparison that is slow and obvious, an element after the other, and pairs of arrays of every kind to try it on."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from parity.numerics import FORMATS, Errors

ml_dtypes = pytest.importorskip("ml_dtypes")
DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
EXACT = (
    "count bit_equal max_ulp nan_left_only nan_right_only inf_mismatch flushed ulp_histogram first_positions".split()
)


def number(value, name: str) -> int:
    """A float's place among all of its format: 0 for both zeros, one more for each next number."""
    bits = np.asarray(value, DTYPES[name]).view(f"u{FORMATS[name].bits // 8}").item()
    half = 1 << (FORMATS[name].bits - 1)
    return -(bits - half) if bits >= half else bits


def slowly(left, right, reference, name: str) -> dict:
    """Every statistic, one element after the other, in Python's numbers; positions in C order."""
    tiny = FORMATS[name].smallest_normal
    found = dict.fromkeys(["bit_equal", "max_ulp", "nan_left_only", "nan_right_only", "inf_mismatch", "flushed"], 0)
    found |= {"max_abs": 0.0, "max_rel": 0.0, "left_error": 0.0, "right_error": 0.0, "count": left.size}
    histogram, positions, gaps, from_left, from_right = [0] * 64, [], [], [], []
    for index in np.ndindex(left.shape):
        a, b, r = (float(array[index]) for array in (left, right, reference))
        if not (math.isfinite(a) and math.isfinite(b)):
            same = a == b or (math.isnan(a) and math.isnan(b))
            found["bit_equal"] += same
            found["nan_left_only"] += math.isnan(a) and not math.isnan(b)
            found["nan_right_only"] += math.isnan(b) and not math.isnan(a)
            found["inf_mismatch"] += not same and not math.isnan(a) and not math.isnan(b)
            positions += [] if same else [index]
            continue
        found["bit_equal"] += a == b
        found["flushed"] += (a == 0.0) != (b == 0.0) and abs(a) < tiny and abs(b) < tiny
        steps = abs(number(a, name) - number(b, name))
        histogram[max(steps, 1).bit_length() - 1] += 1
        found["max_ulp"] = max(found["max_ulp"], steps)
        found["max_abs"] = max(found["max_abs"], abs(a - b))
        gaps.append(a - b)
        if math.isfinite(r):
            from_left.append(a - r)
            from_right.append(b - r)
            found["max_rel"] = max(found["max_rel"], abs(a - b) / max(abs(r), tiny) if r else 0.0)
    found["max_ulp"] = float(found["max_ulp"])
    found |= {"ulp_histogram": tuple(histogram), "first_positions": tuple(positions[:5])}
    for mean, rms, values in (
        ("bias", "rms", gaps),
        ("left_bias", "left_rms", from_left),
        ("right_bias", "right_rms", from_right),
    ):
        # Fractions: a sum of floats may be past the largest number, a term of the mean below the smallest.
        known = values and all(map(math.isfinite, values))
        found[mean] = float(sum(map(Fraction, values)) / len(values)) if known else math.nan if values else 0.0
        found[rms] = math.hypot(*values) / math.sqrt(len(values)) if values else 0.0
    found["left_error"] = max(map(abs, from_left), default=0.0)
    found["right_error"] = max(map(abs, from_right), default=0.0)
    return found


def assert_right(found: Errors, left, right, reference, name: str) -> None:
    wanted = slowly(left, right, left if reference is None else reference, name)
    for key in EXACT:
        assert getattr(found, key) == wanted[key], key
    # what the docstring of Errors states: 1e-7 of a maximum, a millionth of sums and of max_rel
    for key in ("max_abs", "left_error", "right_error"):
        assert getattr(found, key) == pytest.approx(wanted[key], rel=1e-7, abs=0.0), key
    assert found.max_rel == pytest.approx(wanted["max_rel"], rel=1e-6, abs=0.0)
    for mean, rms in (("bias", "rms"), ("left_bias", "left_rms"), ("right_bias", "right_rms")):
        assert getattr(found, rms) == pytest.approx(wanted[rms], rel=1e-6, abs=0.0), rms
        if wanted[rms] * found.count < 1e307:  # else the sum itself may be past the largest number
            assert getattr(found, mean) == pytest.approx(wanted[mean], abs=1e-6 * wanted[rms]), mean
    if found.count:
        at = [float(array[found.index]) for array in (left, right, left if reference is None else reference)]
        assert [found.left, found.right, found.reference] == pytest.approx(at, rel=0.0, nan_ok=True)
    if wanted["max_abs"]:
        assert abs(found.left - found.right) == found.max_abs
    if found.ulp_index is not None:
        steps = number(left[found.ulp_index], name) - number(right[found.ulp_index], name)
        assert float(abs(steps)) == found.max_ulp
    assert (found.ulp_index is None) == (found.max_ulp == 0.0)
    assert (found.rel_index is None) == (found.max_rel == 0.0)


@st.composite
def pairs(draw):
    """Two arrays of any of the formats: equal, a few steps apart, or anything, in a layout of any kind."""
    name = draw(st.sampled_from(sorted(DTYPES)))
    dtype, unsigned = np.dtype(DTYPES[name]), np.dtype(f"u{FORMATS[name].bits // 8}")
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
    # Bit patterns: NaN, infinities and subnormal numbers come about as often as the rest.
    special = [0, 1, 3, 1 << FORMATS[name].mantissa_bits]
    infinity = np.array(np.inf, dtype).view(unsigned).item()
    special += [infinity, infinity - 1, infinity + 1, np.array(1, dtype).view(unsigned).item()]
    half = 1 << (FORMATS[name].bits - 1)
    bits = st.one_of(
        st.sampled_from([s + sign for s in special for sign in (0, half)]),
        st.integers(0, 2 * half - 1),
        st.integers(0, 12).map(lambda k: np.array(1.5 * 2.0**-k, dtype).view(unsigned).item()),
    )
    left = draw(hnp.arrays(unsigned, shape, elements=bits))
    moved = left + draw(hnp.arrays(unsigned, shape, elements=st.integers(0, 3)))
    other = draw(hnp.arrays(unsigned, shape, elements=bits))
    chosen = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 8)))
    right = np.where(chosen < 5, left, np.where(chosen < 8, moved, other)).astype(unsigned)
    sides = [np.asarray(side).view(dtype) for side in (left, right)]
    reference = draw(st.sampled_from([None, "float64"]))
    with np.errstate(invalid="ignore"):
        third = None if reference is None else sides[draw(st.integers(0, 1))].astype(np.float64)
    arrays = [*sides] if third is None else [*sides, third]
    layout = draw(st.sampled_from(["plain", "transposed", "strided", "reversed", "one of each"]))
    for k, array in enumerate(arrays):
        if array.ndim and layout in ("strided", "one of each") and k != 1:
            room = np.zeros((*shape[:-1], 2 * shape[-1]), array.dtype)
            room[..., ::2] = array
            arrays[k] = room[..., ::2]
        if array.ndim and (layout == "transposed" or (layout == "one of each" and k == 1)):
            arrays[k] = np.asfortranarray(array)
        if array.ndim and layout == "reversed":
            arrays[k] = np.ascontiguousarray(array[::-1])[::-1]
    return arrays[0], arrays[1], (arrays[2] if len(arrays) == 3 else None), name
