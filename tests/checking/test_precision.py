"""What took the precision is named where an experiment shows it, and not guessed where none does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from planted import by_hand

import parity
from parity import Verdict

pytestmark = pytest.mark.part(2)

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(16, 64)), RNG.normal(size=(64, 32))


def tensor_core(bits, shorten):
    """A product whose float32 operands lose all but some bits, as a tensor core takes them."""

    def cut(a):
        significand, exponent = jnp.frexp(a)
        return jnp.ldexp(shorten(significand * 2.0**bits) / 2.0**bits, exponent)

    return lambda x, w: cut(x) @ cut(w) if x.dtype == jnp.float32 else x @ w


@pytest.mark.parametrize(("bits", "name"), [(11, "TF32"), (8, "bfloat16 products")])
@pytest.mark.parametrize("shorten", [jnp.round, jnp.trunc])
def test_short_operands_of_a_product_are_named(bits, name, shorten):
    report = parity.check(lambda x, w: x @ w, tensor_core(bits, shorten), X, W, gradient=False)
    assert (report.verdict, report.first.worse) == (Verdict.PRECISION, "jax")
    assert report.first.cause.startswith(name)
    assert "default_matmul_precision" in report.first.fix
    assert f"cause: {name}" in str(report)


def test_short_operands_on_the_torch_side_are_named_there():
    def torch_function(x, w):
        if x.dtype == torch.float64:
            return x @ w
        m, e = torch.frexp(x)
        return torch.ldexp(torch.round(m * 2048) / 2048, e) @ w

    report = parity.check(torch_function, lambda x, w: x @ w, X, np.round(W * 16) / 16, gradient=False)
    assert (report.verdict, report.first.worse) == (Verdict.PRECISION, "torch")
    assert "TF32" in report.first.cause
    assert "set_float32_matmul_precision" in report.first.fix


def test_a_cast_whose_roundings_fall_elsewhere_is_a_note_and_not_a_cause():
    def jax_function(x, w):
        y = x @ w
        return jax.nn.softmax(y.astype(jnp.bfloat16) if y.dtype == jnp.float32 else y).astype(y.dtype)

    report = parity.check(lambda x, w: torch.softmax(x @ w, -1), jax_function, X, W, gradient=False)
    assert report.verdict is Verdict.PRECISION
    assert report.first.cause == ""
    assert "about as much as would" in report.first.note
    assert "a cast to bfloat16 on the way" in report.first.note


def test_an_error_that_no_experiment_explains_gets_no_name():
    def jax_function(x, w):
        return x @ w * (1 + 1e-4 * (x.dtype == jnp.float32))

    report = parity.check(lambda x, w: x @ w, jax_function, X, W, gradient=False)
    assert report.verdict is Verdict.PRECISION
    assert report.first.cause == ""


class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(16, 16), torch.nn.Linear(16, 16)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


class Short(nnx.Linear):
    """A layer with operands, or a result, of so many bits: operands are what `precision` shortens on a tensor core."""

    def __init__(self, operands=24, result=24):
        super().__init__(16, 16, rngs=nnx.Rngs(0))
        self.operands, self.result = operands, result

    def __call__(self, x):
        x, kernel = (jax.lax.reduce_precision(a, 8, self.operands - 1) for a in (x, self.kernel[...]))
        return jax.lax.reduce_precision(x @ kernel + self.bias[...], 8, self.result - 1)


class JaxTwo(nnx.Module):
    def __init__(self, **bits):
        self.one, self.two = nnx.Linear(16, 16, rngs=nnx.Rngs(0)), Short(**bits)

    def __call__(self, x):
        return self.two(jnp.tanh(self.one(x)))


def short(**bits):
    torch.manual_seed(0)
    model, twin = Two(), JaxTwo(**bits)
    weights = by_hand(model, twin, {"a": "one", "b": "two"})
    return parity.check(model, twin, X[:, :16], weights=weights, gradient=False)


@pytest.mark.part(1)
@pytest.mark.parametrize(("bits", "name"), [(11, "TF32"), (8, "bfloat16 products")])
def test_short_operands_of_one_layer_are_named_at_that_layer_with_their_fix(bits, name):
    report = short(operands=bits)
    first = report.first
    assert (report.verdict, first.stage, first.torch_path) == (Verdict.PRECISION, "layer", "b")
    assert (first.worse, first.jax_path) == ("jax", "two")
    assert first.cause.startswith(name)
    assert 'precision="highest"' in first.fix


def test_a_layer_whose_result_is_short_is_told_and_no_short_operands_are_named():
    report = short(result=11)
    assert (report.verdict, report.first.torch_path) == (Verdict.PRECISION, "b")
    assert report.first.cause == ""
