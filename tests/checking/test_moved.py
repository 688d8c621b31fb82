"""A large model is disturbed right after its float64 run: what is found is the same, and no run is made twice."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import parity
from parity.checking import tensors, work
from parity.checking.moved import changes
from parity.checking.watch import watched
from parity.trace import Trace

X = np.random.default_rng(0).standard_normal((4, 16))
FIRST, THEN = ["torch at float64"], ["jax at float64", "torch at float32", "jax at float32"]
DISTURBED = "torch, disturbed"


def torch_side(x):
    return torch.softmax(x, -1), torch.argmax(x, -1)


def jax_side(x, factor=1.0):
    return jnp.exp(x * factor) / jnp.exp(x * factor).sum(-1, keepdims=True), jnp.argmax(x, -1)


def checked(other=jax_side):
    seen = []
    with watched(seen.append):
        report = parity.check(torch_side, other, X)
    return report, [what for what in seen if what != "comparing"]


@pytest.mark.parametrize("factor", [1.0, 1.0 + 1e-9], ids=["agrees", "differs"])
def test_what_is_made_ahead_is_what_would_have_been_made(factor, monkeypatch):
    def other(x):
        return jax_side(x, factor)

    monkeypatch.setattr(tensors, "MANY", 4)
    late, runs = checked(other)
    assert runs[:5] == [*FIRST, *THEN, DISTURBED]
    monkeypatch.setattr(work, "MANY", 4)
    early, order = checked(other)
    assert order[:5] == [*FIRST, DISTURBED, *THEN]
    assert sorted(order) == sorted(runs)
    assert list(map(repr, early.findings)) == list(map(repr, late.findings))
    assert bool(early) == (factor == 1.0)


def test_what_raises_where_it_is_disturbed_is_told_where_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(work, "MANY", 4)

    def raising(*_, **__):
        raise ValueError("not so")

    monkeypatch.setattr("parity.sides.torch_side.TorchSide.disturbed", raising)
    report, order = checked()
    assert order == [*FIRST, DISTURBED, *THEN, DISTURBED]
    assert "while its sensitivity was measured: ValueError: not so" in " ".join(str(report).split())


def test_a_tensor_of_another_shape_is_left_out_and_infinity_against_itself_is_no_change():
    base = {"a": np.array([1.0, np.inf, 2.0]), "b": np.zeros(2), "c": np.array([1, 2])}
    trace = Trace({"a": np.array([1.5, np.inf, np.inf]), "b": np.zeros(3), "c": np.array([1, 3]), "d": np.ones(1)})
    found = dict(changes(trace, base, list(base), 0.25))
    assert {n: a.tolist() for n, a in found.items()} == {"a": [4.0, 0.0, np.inf], "c": [False, True]}
    assert list(trace.tensors) == ["d"]
