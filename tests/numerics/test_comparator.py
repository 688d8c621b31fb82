"""The comparator against a slow and obvious one, whatever the shapes, layouts, NaN, infinities, subnormal numbers."""

import contextlib
import functools
import math
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from slow import DTYPES, assert_right, pairs

from parity.numerics import FORMATS, Errors, chunks, comparator, errors

CHUNK = comparator.COPIED_PIECE


@contextlib.contextmanager
def every_array_is_large(piece: int = CHUNK) -> Iterator[None]:
    """All that can goes through the compiled loop, in pieces of that size, and not only arrays that make it pay."""
    pytest.importorskip("numba", reason="the compiled loop needs parity[fast]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparator, "COMPILED", 0)
        patch.setattr(comparator, "COPIED_PIECE", piece)
        assert comparator.compiled_loops() is not None
        yield


@settings(max_examples=400, deadline=None)
@given(pairs())
def test_every_statistic_is_what_a_slow_computation_gives(pair):
    left, right, reference, name = pair
    assert_right(errors(left, right, reference, dtype=name), left, right, reference, name)


# Sums differ by their order, and a largest ratio may be passed over for one that is larger by a millionth of it.
LOOSE = {"rms": 1e-6, "right_rms": 1e-6, "max_rel": 1e-6, "max_abs": 0.0}
MEANS = ("bias", "right_bias", "rel_index")


def assert_same(compiled: Errors, plain: Errors) -> None:
    for key in vars(plain):
        wanted = getattr(plain, key)
        if key in LOOSE:
            assert getattr(compiled, key) == pytest.approx(wanted, rel=LOOSE[key], abs=0.0), key
        elif key in ("bias", "right_bias") and plain.rms * plain.count < 1e307:
            assert getattr(compiled, key) == pytest.approx(wanted, abs=1e-6 * plain.rms), key
        elif key not in MEANS:
            assert repr(getattr(compiled, key)) == repr(wanted), key


@settings(max_examples=200, deadline=None)
@given(pairs())
def test_the_compiled_loop_gives_what_plain_numpy_gives(pair):
    left, right, _, name = pair
    with every_array_is_large():
        compiled = errors(left, right, dtype=name)
    assert_same(compiled, errors(left, right, dtype=name))
    assert_right(compiled, left, right, None, name)


@pytest.mark.parametrize("name", DTYPES)
def test_a_fault_in_the_slow_computation_or_in_the_quick_one_is_seen(name):
    left = np.linspace(1, 2, 40).astype(DTYPES[name])
    right = left.copy()
    with every_array_is_large():
        found = errors(left, right)
    right[3] = right[4]
    with pytest.raises(AssertionError):
        assert_right(found, left, right, None, name)
    with pytest.raises(AssertionError):
        assert_same(found, errors(left, right))


def ulps_apart(name: str, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal numbers, and half of them up to three steps away."""
    rng = np.random.default_rng(seed)
    left = (rng.standard_normal(size) + np.float64(1e-3)).astype(DTYPES[name])
    signed = np.dtype(f"i{FORMATS[name].bits // 8}")
    steps = rng.integers(-3, 4, size).astype(signed) * rng.integers(0, 2, size).astype(signed)
    right = (left.view(signed) + np.where(left == 0, 0, steps).astype(signed)).view(left.dtype)
    return left, right


def sample(kind: str, name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Data for the quick way, each kind with something that it must not get wrong."""
    left, right = ulps_apart(name, size)
    rng = np.random.default_rng(1)
    some = rng.choice(size, max(1, size // 50), replace=False)
    if kind == "rectified":
        zero = left < 0
        left, right = np.where(zero, left.dtype.type(0), left), np.where(zero, left.dtype.type(0), right)
    elif kind == "negative zeros":
        left[some], right[some] = 0.0, -0.0
    elif kind == "opposite signs":
        right[some] = -right[some]
    elif kind == "far apart":
        right[some] = (right[some].astype(np.float64) * 1.7).astype(left.dtype)
    elif kind == "all far apart":
        right = (left.astype(np.float64) * 1.01).astype(left.dtype)
    elif kind == "subnormal":
        signed = np.dtype(f"i{FORMATS[name].bits // 8}")
        left[some] = rng.integers(0, 40, some.size).astype(signed).view(left.dtype)
        right[some] = rng.integers(0, 40, some.size).astype(signed).view(left.dtype)
    elif kind == "small":
        left, right = (np.ldexp(side.astype(np.float64), -12).astype(left.dtype) for side in (left, right))
    elif kind == "squares underflow":
        shift = FORMATS[name].min_exponent + 2
        left, right = (np.ldexp(side.astype(np.float64), shift).astype(left.dtype) for side in (left, right))
    elif kind == "large":
        shift = -FORMATS[name].min_exponent - 3
        left, right = (np.ldexp(side.astype(np.float64), shift).astype(left.dtype) for side in (left, right))
    elif kind == "not finite":
        left[some], right[some[::2]] = np.nan, np.nan
        left[0], right[0], left[7], right[7] = np.inf, -np.inf, np.inf, np.inf
    elif kind == "equal but NaN":
        right = left.copy()
        left[some], right[some] = np.nan, np.nan
    return left, right


KINDS = ["close", "rectified", "small", "subnormal", "large", "negative zeros", "opposite signs", "far apart"]
KINDS += ["all far apart", "squares underflow", "not finite", "equal but NaN"]


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_quick_way_gives_what_the_slow_computation_gives(kind, name):
    left, right = sample(kind, name, 2000)
    with every_array_is_large(640):  # four pieces, the last a short one
        found = errors(left, right)
    with np.errstate(over="ignore"):
        assert_right(found, left, right, None, name)
        assert_same(found, errors(left, right))


@pytest.mark.parametrize("name", DTYPES)
def test_a_difference_that_is_the_same_everywhere_is_summed_as_well(name):
    # Roundings of a sum of equal terms do not cancel.
    left = np.full(100_000, 3.0).astype(DTYPES[name])
    right = np.full(100_000, 3.1).astype(DTYPES[name])
    with every_array_is_large():
        found = errors(left, right)
    # a millionth, as stated
    assert found.rms == pytest.approx(-found.bias, rel=1e-6)
    assert found.rms == pytest.approx(found.max_abs, rel=1e-6)


def test_the_comparison_is_sharp_enough_to_see_one_element_of_five_thousand():
    left, right = sample("close", "float32", 5000)
    with every_array_is_large():
        found = errors(left, right)
    right[4321] = np.nextafter(right[4321], np.float32(9))
    with pytest.raises(AssertionError):
        assert_right(found, left, right, None, "float32")


@pytest.mark.parametrize("at", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 6])
def test_one_wrong_element_is_found_wherever_it_stands(at):
    left = np.ones(3 * CHUNK + 7, np.float32)
    right = left.copy()
    right[at] = np.nextafter(np.float32(1), np.float32(2))
    with every_array_is_large():
        found = errors(left, right)
    assert (found.index, found.rel_index, found.ulp_index) == ((at,), (at,), (at,))
    assert (found.max_ulp, found.count - found.bit_equal, found.ulp_histogram[0]) == (1.0, 1, left.size)


def test_the_cores_share_the_work_and_change_nothing(monkeypatch):
    left, right = ulps_apart("float32", 40_000)
    left[39_000] = right[20_000] = right[30_001] = np.nan
    with every_array_is_large(3000):
        alone = errors(left, right)
        monkeypatch.setattr(chunks, "LARGE", 1)
        monkeypatch.setattr(chunks, "cores", lambda: 1)
        one = errors(left, right)
        monkeypatch.setattr(chunks, "cores", lambda: 3)
        assert errors(left, right) == one
    assert_right(one, left, right, None, "float32")
    assert (one.first_positions, one.index, one.max_ulp) == (alone.first_positions, alone.index, alone.max_ulp)


def test_a_layout_changes_nothing():
    left, right = (side.reshape(20, 30, 40) for side in ulps_apart("float32", 24_000))
    plain = errors(left, right)
    wide = np.zeros((20, 30, 80), np.float32)
    wide[..., ::2] = right
    for other in (
        np.asfortranarray(right),
        wide[..., ::2],
        right.astype(">f4"),
        right.transpose(2, 0, 1).copy().transpose(1, 2, 0),
    ):
        assert errors(left, other) == plain
    row = np.float32([1.0, 2.0])
    assert errors(np.broadcast_to(row, (9, 2)), np.tile(row, (9, 1))).bit_equal == 18


def test_nan_in_one_chunk_does_not_hide_a_difference_in_it_or_elsewhere():
    left, right = np.zeros(2 * CHUNK), np.zeros(2 * CHUNK)
    left[3] = right[3] = np.nan
    right[5] = 0.5
    right[CHUNK + 1] = 0.25
    found = errors(left, right)
    assert (found.index, found.max_abs, found.nonfinite_mismatch) == ((5,), 0.5, 0)


def test_the_first_positions_of_a_mismatch_are_kept():
    left, right = np.zeros((4, 5)), np.zeros((4, 5))
    right[1:3, ::2] = np.nan
    left[0, 3] = np.inf
    found = errors(left, right)
    assert found.first_positions == ((0, 3), (1, 0), (1, 2), (1, 4), (2, 0))
    assert found.first_nonfinite == (0, 3)
    assert (found.inf_mismatch, found.nan_right_only) == (1, 6)


def test_a_value_too_large_or_too_small_to_square_is_compared_all_the_same():
    found = errors(np.array([1e300, 1.0]), np.array([-1e300, 1.0]))
    assert (found.max_abs, found.index) == (2e300, (0,))
    assert found.rms == pytest.approx(math.sqrt(2) * 1e300)
    assert errors(np.array([1e-200, 1.0]), np.array([3e-200, 1.0])).rms == pytest.approx(math.sqrt(2) * 1e-200)


def test_each_side_is_measured_against_the_reference():
    found = errors(np.array([1.0, 2.0]), np.array([1.25, 2.0]), np.array([1.0, 1.5]))
    assert (found.left_error, found.right_error) == (0.5, 0.5)
    found = errors(np.array([1.0]), np.array([3.0]), np.array([2.5]))
    assert (found.left_error, found.right_error) == (1.5, 0.5)
    assert (found.left_rms, found.right_rms, found.left_bias, found.right_bias) == (1.5, 0.5, -1.5, 0.5)


def test_the_unit_is_that_of_the_format_that_is_asked_for():
    one, next_one = np.array([1.0]), np.array([1.0 + 2.0**-7])
    assert errors(one, next_one, dtype="bfloat16").max_ulp == 1.0
    assert errors(one, next_one, dtype="float16").max_ulp == 8.0
    assert errors(np.float32([1.0]), np.float32([1.0 + 2.0**-23]), dtype="float64").max_ulp == 2.0**29


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_beyond_two_to_the_53_are_told_apart(dtype):
    left = np.array([2**60, 5, 7], dtype)
    found = errors(left, left + np.array([1, 0, 2], dtype))
    assert (found.bit_equal, found.max_abs, found.index, found.max_ulp) == (1, 2.0, (2,), 2.0)
    assert found.bias == pytest.approx(-1.0)


def test_booleans_and_extremes_of_integers_are_compared():
    assert errors(np.array([True, False]), np.array([True, True])).bit_equal == 1
    limits = np.iinfo(np.int64)
    assert errors(np.array([limits.min]), np.array([limits.max])).max_abs == 2.0**64


@pytest.mark.parametrize(("left", "count"), [(np.zeros((0, 3)), 0), (np.float64(2.0), 1)])
def test_empty_and_zero_dimensional_arrays_are_compared(left, count):
    found = errors(np.asarray(left), np.asarray(left), where=True)
    assert (found.count, found.bit_equal, found.max_abs, found.concentration) == (count, count, 0.0, None)
    assert found.index == (None if count == 0 else ())


def test_without_numba_the_same_is_found(monkeypatch):
    left, right = ulps_apart("float32", 5000)
    with every_array_is_large():
        compiled = errors(left, right)
        monkeypatch.setattr(comparator, "compiled_loops", lambda: None)
        assert_same(compiled, errors(left, right))


@pytest.mark.parametrize("odd", [None, np.nan, np.inf, 1e300])
def test_against_a_reference_the_compiled_loop_gives_what_plain_numpy_gives(monkeypatch, odd):
    left, right = ulps_apart("float32", 5000)
    reference = left.astype(np.float64) * (1 + 1e-9)
    reference[::7] = 0.0
    if odd is not None:
        reference[4711] = odd
        left[4712] = right[3] = np.inf
    with every_array_is_large(piece=1000):
        kernel = comparator.compiled_loops()
        monkeypatch.setattr(kernel, "SPAN", 300)
        compiled = errors(left, right, reference)
        monkeypatch.setattr(comparator, "compiled_loops", lambda: None)
        plain = errors(left, right, reference)
    for key in ("rms", "left_rms", "right_rms"):
        assert getattr(compiled, key) == pytest.approx(getattr(plain, key), rel=LOOSE["rms"], nan_ok=True), key
    for key in ("bias", "left_bias", "right_bias"):
        size = max(plain.left_rms, plain.right_rms)
        assert getattr(compiled, key) == pytest.approx(getattr(plain, key), abs=1e-6 * size, nan_ok=True), key
    other = {"rms", "left_rms", "right_rms", "bias", "left_bias", "right_bias"}
    for key in vars(plain).keys() - other:
        assert repr(getattr(compiled, key)) == repr(getattr(plain, key)), key


def test_different_shapes_and_kinds_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match=r"differ in shape: \(2,\), \(3,\)"):
        errors(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="complex128"):
        errors(np.zeros(2), np.zeros(2, complex))


def test_the_slice_that_has_the_error_is_named():
    rng = np.random.default_rng(0)
    left = rng.standard_normal((32, 6, 40, 5))
    right = left * (1 + 1e-15)
    right[:, 4] *= 1 + 1e-9
    axis, index, share = errors(left, right, where=True).concentration
    assert (axis, index) == (1, 4)
    # the other columns have rounded by 1e-16 beside 1e-9
    assert share == pytest.approx(1.0, abs=1e-6)
    right[0, 0, 0, 0] = np.nan
    assert errors(left, right, where=True).concentration[:2] == (1, 4)


def test_an_error_that_is_spread_is_not_called_concentrated():
    left, right = (side.reshape(30, 40) for side in ulps_apart("float32", 1200))
    assert errors(left, right, where=True).concentration is None
    right[:, 7] *= np.float32(1.1)
    assert errors(left, right, where=True).concentration[:2] == (1, 7)
    assert errors(left, right).concentration is None


@functools.cache
def large(name: str) -> tuple[np.ndarray, np.ndarray]:
    return ulps_apart(name, 5_000_000)


@pytest.mark.parametrize("layout", ["plain", "transposed"])
@pytest.mark.parametrize(("name", "referenced"), [*((name, False) for name in DTYPES), ("float32", True)])
def test_the_extra_memory_does_not_depend_on_the_size(name, referenced, layout):
    left, right = (side.reshape(50, 1000, 100) for side in large(name))
    reference = np.zeros(left.shape, left.dtype) if referenced else None
    if layout == "transposed":
        left, right = np.asfortranarray(left), np.asfortranarray(right)
    few = slice(0, 12)
    assert left[few].size > comparator.COMPILED
    # what is compiled takes memory once
    errors(left[few], right[few], None if reference is None else reference[few], where=True)
    tracemalloc.start()
    errors(left, right, reference, where=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6
