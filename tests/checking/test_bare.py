"""A model that is one layer itself is judged as a layer, with its cause, under its own names."""

from typing import Any

import jax
import numpy as np
import pytest
import torch
from flax import linen, nnx
from torch import nn

import parity
from parity.sides.held import is_a_layer

pytestmark = pytest.mark.part(2)

X = np.random.default_rng(0).normal(size=(2, 3, 8))


def linen_norm(epsilon: float) -> parity.JaxSide:
    norm = linen.LayerNorm(epsilon=epsilon)
    return parity.JaxSide(norm, norm.init(jax.random.key(0), X))


def nnx_norm(epsilon: float) -> Any:
    return nnx.LayerNorm(8, epsilon=epsilon, rngs=nnx.Rngs(0))


def attention(heads: int) -> parity.JaxSide:
    return parity.JaxSide(nnx.MultiHeadAttention(heads, 8, decode=False, rngs=nnx.Rngs(0)), call=lambda m, x: m(x))


def torch_attention() -> parity.TorchSide:
    made = nn.MultiheadAttention(8, 2, batch_first=True)
    return parity.TorchSide(made, call=lambda m, x: m(x, x, x, need_weights=False)[0])


def wrapped_norm() -> nn.Module:
    return nn.Sequential(nn.Identity(), nn.LayerNorm(8))


@pytest.mark.parametrize(
    ("torch_side", "jax_side", "setting", "wrong", "cause", "place"),
    [
        (lambda: nn.LayerNorm(8), nnx_norm, 1e-5, 1e-6, "LayerNorm eps 1e-06, torch has 1e-05.", "the model"),
        (lambda: nn.LayerNorm(8), linen_norm, 1e-5, 1e-3, "LayerNorm eps 0.001, torch has 1e-05.", "the model"),
        (torch_attention, attention, 2, 4, "4 heads, torch has 2.", "the model"),
        (wrapped_norm, nnx_norm, 1e-5, 1e-6, "LayerNorm eps 1e-06, torch has 1e-05.", "1"),
    ],
    ids=["NNX", "Linen", "heads", "one side"],
)
def test_a_layer_that_is_the_model_has_its_cause(torch_side, jax_side, setting, wrong, cause, place):
    torch.manual_seed(0)
    report = parity.check(torch_side(), jax_side(wrong), X)
    assert (report.first.stage, report.first.torch_path, report.first.jax_path) == ("layer", place, "the model")
    assert report.cause.text.startswith(cause)
    assert "held" not in str(report)
    assert all(f.follows or f is report.first for f in report.findings if not f)
    if jax_side is not linen_norm:
        assert parity.check(torch_side(), jax_side(setting), X)


def test_only_a_layer_of_the_frameworks_own_is_one():
    rngs = nnx.Rngs(0)
    assert is_a_layer(nn.LSTM(2, 2))
    assert is_a_layer(nnx.Linear(2, 2, rngs=rngs))
    assert not is_a_layer(wrapped_norm())
    assert not is_a_layer(nn.TransformerEncoderLayer(4, 2))
    assert not is_a_layer(nnx.Sequential(nnx.Linear(2, 2, rngs=rngs)))
