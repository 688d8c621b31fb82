"""Nests of arrays: names, rebuilding, rounding, disturbing, and cotangents that both sides make alike."""

from typing import NamedTuple

import numpy as np

from parity.sides import inputs
from parity.sides.inputs import cotangent, laid_out, leaves, perturbed, rebuild, rounded, signature


class State(NamedTuple):
    w: np.ndarray
    step: int


NEST = {"a": np.array([0.1, -0.2]), "s": State(np.array([[1.0]]), 3), "l": [np.array([1, 2]), ("x", None)]}


def test_leaves_have_the_names_of_their_containers():
    assert [p for p, _ in leaves(NEST)] == ["a", "s.w", "s.step", "l.0", "l.1.0"]


def test_a_nest_is_rebuilt_with_its_containers():
    back = rebuild(NEST, lambda path, leaf: path)
    assert back == {"a": "a", "s": State("s.w", "s.step"), "l": ["l.0", ("l.1.0", None)]}
    assert isinstance(back["s"], State)


def test_rounding_and_disturbing_touch_floating_arrays_only():
    low = rounded(NEST, "bfloat16")
    assert low["a"].tolist() == [0.10009765625, -0.2001953125]
    assert low["l"][0] is NEST["l"][0]
    moved = perturbed(NEST, 2.0**-10, 0)
    errors = np.abs(moved["a"] / NEST["a"] - 1) / 2.0**-10
    assert np.all((errors > 0.48) & (errors < 1.45)), "between 0.5 and 1.5, by their root mean square"
    assert errors[0] != errors[1], "errors of one size would cancel exactly in a sum of two"
    assert moved["s"].step == 3
    assert NEST["a"].tolist() == [0.1, -0.2]


def test_eight_members_err_by_every_size_in_either_direction():
    moved = np.stack([perturbed({"x": np.ones(500)}, 1.0, member)["x"] for member in range(8)]) - 1.0
    assert (moved.max(0) > 1.2).all()
    assert (moved.min(0) < -1.2).all()
    assert abs(np.corrcoef(moved)[np.triu_indices(8, 1)]).max() < 0.4, "no member is another one with the signs turned"


def test_a_large_array_errs_by_a_period_that_no_row_has(monkeypatch):
    monkeypatch.setattr(inputs, "LARGE", 100)
    monkeypatch.setattr(inputs, "TILE", 29)
    large = np.random.default_rng(0).normal(size=(10, 12))
    xi = (inputs.perturbed(large, 2.0**-10, 3) / large - 1.0) * 2.0**10
    flat = xi.reshape(-1)
    np.testing.assert_allclose(flat[29:58], flat[:29], rtol=1e-9)
    assert len(np.unique(flat[:29].round(6))) == 29
    assert 0.5 < float(np.sqrt(np.mean(flat**2))) < 1.5
    assert not np.array_equal(inputs.perturbed(large, 2.0**-10, 4), inputs.perturbed(large, 2.0**-10, 3))


def test_a_large_array_that_rounding_leaves_as_it_is_is_not_copied(monkeypatch):
    monkeypatch.setattr(inputs, "LARGE", 3)
    weights = np.array([0.5, 1.0, np.nan, 2.0])
    assert inputs.rounded(weights, "float32") is weights
    assert inputs.rounded(weights + 1e-12, "float32") is not weights
    assert inputs.rounded(weights[:2], "float32") is not weights


def test_a_cotangent_depends_on_name_shape_and_dtype_alone():
    one = cotangent("y", (3, 2), "float32")
    assert np.array_equal(one, cotangent("y", (3, 2), "float32"))
    assert not np.array_equal(one, cotangent("z", (3, 2), "float32"))
    assert np.array_equal(one, one.astype(np.float32))


def test_what_is_laid_out_is_the_same_numbers_where_either_framework_takes_them_over():
    for leaf in (np.arange(6.0).reshape(2, 3).T, np.float32([[1.5]]), np.array(0.1)):
        for dtype in ("float64", "float32"):
            array = laid_out(leaf, dtype)
            assert (array.dtype.name, array.shape, array.ctypes.data % 64) == (dtype, leaf.shape, 0)
            assert array.flags.c_contiguous
            assert np.array_equal(array, leaf.astype(dtype))
            assert not np.shares_memory(array, leaf)


def test_a_float32_array_is_its_own_rounding_and_the_same_input():
    narrow = np.float32([0.1, 2.0])
    assert rounded({"x": narrow}, "float32")["x"] is narrow
    assert rounded(narrow, "bfloat16").tolist() == rounded(narrow.astype(np.float64), "bfloat16").tolist()
    assert signature({"x": narrow}) == signature({"x": narrow.astype(np.float64)}) != signature({"x": np.int32([1, 2])})
