"""A large task is judged from one disturbed run, whose answers are pooled; what does not agree is judged from eight."""

import numpy as np
import pytest
import torch

import parity
from parity.checking import tensors
from parity.numerics import Verdict, pooling
from parity.numerics.pooling import ENOUGH, pooled


def test_a_pool_has_enough_numbers_and_no_more_axes_than_it_needs():
    wide = np.random.default_rng(0).standard_normal((3, ENOUGH))
    expected = np.maximum(np.abs(wide), np.sqrt(np.mean(wide**2, 1, keepdims=True)))
    np.testing.assert_allclose(pooled(np.abs(wide)), expected)
    narrow = np.zeros((4, 2))
    narrow[0, 0] = np.sqrt(8.0)
    assert pooled(narrow)[3, 1] == pytest.approx(1.0)
    assert pooled(np.zeros((0, 3))).shape == (0, 3)
    assert pooled(np.array(2.0)) == 2.0


def test_what_has_no_bound_keeps_none_and_leaves_its_neighbours_theirs():
    assert pooled(np.array([np.inf, 1.0, 1.0, 0.0])).tolist() == [np.inf, 1.0, 1.0, np.sqrt(0.5)]


@pytest.mark.parametrize("shape", [(40, 300), (7, 40, 5, 3), (500, 2)])
def test_a_large_array_is_pooled_in_pieces_to_the_same_numbers(shape, monkeypatch):
    response = np.abs(np.random.default_rng(1).standard_normal(shape))
    response[-1].reshape(-1)[0] = np.inf
    whole = pooled(response.copy())
    monkeypatch.setattr(pooling, "PIECE", 600)
    np.testing.assert_array_equal(pooled(response.copy()), whole)


@pytest.fixture
def members(monkeypatch):
    """How many disturbed runs were asked for, each time, where four numbers are many."""
    asked = []
    original = tensors.response

    def counted(*arguments, members=8, **options):
        asked.append(members)
        return original(*arguments, members=members, **options)

    monkeypatch.setattr(tensors, "response", counted)
    monkeypatch.setattr(tensors, "MANY", 4)
    return asked


X = np.random.default_rng(0).standard_normal((4, 64))


def test_two_sides_that_agree_are_disturbed_once(members):
    assert parity.check(lambda x: torch.softmax(x, -1), lambda x: __import__("jax").nn.softmax(x), X)
    assert members == [1]


def test_two_that_differ_are_judged_from_the_whole_ensemble_and_the_verdict_is_that_of_small_ones(members, monkeypatch):
    import jax

    def wrong(x):
        return jax.nn.softmax(x * (1 + 8e-11))

    found = parity.check(lambda x: torch.softmax(x, -1), wrong, X)
    assert members == [1, 8]
    monkeypatch.setattr(tensors, "MANY", pooling.MANY)
    small = parity.check(lambda x: torch.softmax(x, -1), wrong, X)
    assert members == [1, 8, 8]
    assert [(f.verdict, f.ratio64) for f in found.findings] == [(f.verdict, f.ratio64) for f in small.findings]
    assert found.verdict is Verdict.SEMANTIC
