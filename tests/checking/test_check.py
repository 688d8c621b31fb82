"""`parity.check`: honest pairs agree, planted faults are told with stage, tensor and size, bad input is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import parity
from parity import Verdict

pytestmark = pytest.mark.part(2)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 64))
W = RNG.normal(size=(64, 32)) / 8
IDS = RNG.integers(0, 10, size=(5,))


def layer_norm(epsilon):
    def function(x):
        centred = x - x.mean(-1, keepdims=True)
        return centred / jnp.sqrt(jnp.mean(centred * centred, -1, keepdims=True) + epsilon)

    return function


HONEST = {
    "linear": (lambda x, w: torch.relu(x @ w), lambda x, w: jax.nn.relu(x @ w), (X, W)),
    "layer norm": (lambda x: F.layer_norm(x, (64,)), layer_norm(1e-5), (X,)),
    "softmax": (lambda x: F.softmax(x, -1), jax.nn.softmax, (X,)),
    "log softmax, large": (lambda x: F.log_softmax(300 * x, -1), lambda x: jax.nn.log_softmax(300 * x), (X,)),
    "gelu": (F.gelu, lambda x: jax.nn.gelu(x, approximate=False), (X,)),
    "sum that cancels": (lambda x: (x - x.mean()).sum(), lambda x: (x - x.mean()).sum(), (X,)),
    "attention": (
        lambda q, k: F.softmax(q @ k.T / 8, -1) @ k,
        lambda q, k: jax.nn.softmax(q @ k.T / 8) @ k,
        (X, RNG.normal(size=(16, 64))),
    ),
    "embedding": (lambda w, i: w[i], lambda w, i: w[i], (W, IDS)),
    "argmax": (lambda x: x.argmax(-1), lambda x: x.argmax(-1), (X,)),
    "empty": (lambda x: x[:0] * 2, lambda x: x[:0] * 2, (X,)),
    "scalar": (lambda x: x * 2, lambda x: x * 2, (np.array(3.0),)),
    "nest": (lambda d: {"a": (d["p"] * 2, d["q"])}, lambda d: {"a": (d["p"] * 2, d["q"])}, ({"p": X, "q": W},)),
    "nan and infinity": (torch.log, jnp.log, (np.array([-1.0, 0.0, 1.0]),)),
}

FAULTS = {
    "epsilon 1e-6": (lambda x: F.layer_norm(x, (64,)), layer_norm(1e-6), (X,), "forward"),
    "epsilon 1.001e-5": (lambda x: F.layer_norm(x, (64,)), layer_norm(1.001e-5), (X,), "forward"),
    "tanh gelu": (F.gelu, jax.nn.gelu, (X,), "forward"),
    "scale off by 8e-11": (lambda x: F.softmax(x, -1), lambda x: jax.nn.softmax(x * (1 + 8e-11)), (X,), "forward"),
    "ddof": (lambda x: x.std(-1), lambda x: x.std(-1), (X,), "forward"),
    "transposed square": (lambda x, w: x @ w, lambda x, w: x @ w.T, (X, RNG.normal(size=(64, 64))), "forward"),
    "gradient stopped": (lambda x: x * x, lambda x: x * jax.lax.stop_gradient(x), (X,), "gradient"),
    "one element": (lambda x: x * 1, lambda x: x.at[3, 5].mul(1 + 1e-9), (X,), "forward"),
    "argmax of the other sign": (lambda x: x.argmax(-1), lambda x: (-x).argmax(-1), (X,), "forward"),
    "nan": (torch.log, lambda x: jnp.log(jnp.abs(x)), (np.array([-1.0, 1.0]),), "forward"),
}


@pytest.mark.part(4)
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_pair_agrees(name):
    torch_function, jax_function, inputs = HONEST[name]
    report = parity.check(torch_function, jax_function, *inputs)
    assert report, str(report)
    assert report.first is None
    assert report.exit_status == 0


@pytest.mark.part(4)
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_told_and_not_called_rounding(name):
    torch_function, jax_function, inputs, stage = FAULTS[name]
    report = parity.check(torch_function, jax_function, *inputs)
    assert not report
    assert report.verdict is Verdict.SEMANTIC
    assert report.first.stage == stage
    assert report.exit_status == 1


def test_where_it_differs_is_told_with_both_values():
    report = parity.check(lambda x: x * 1, lambda x: x.at[3, 5].mul(1 + 1e-9), X)
    assert report.first.errors64.index == (3, 5)
    assert "(3, 5)" in report.first.message
    assert report.first.jax_path == "output"


def test_an_unstable_side_is_named():
    def fast_variance(x):
        mean = x.mean(-1, keepdims=True)
        return (x - mean) / jnp.sqrt((x * x).mean(-1, keepdims=True) - mean * mean + 1e-5)

    report = parity.check(lambda x: F.layer_norm(x, (64,)), fast_variance, X + 3000)
    assert report.verdict is Verdict.UNSTABLE
    assert {f.worse for f in report.findings if not f} == {"jax"}
    assert "next: look on the jax side" in report.first.note


def test_a_cast_to_a_lower_precision_at_float32_is_a_matter_of_precision():
    def low(x, w):
        if x.dtype == jnp.float64:
            return x @ w
        return jnp.matmul(x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)).astype(x.dtype)

    report = parity.check(lambda x, w: x @ w, low, X, W)
    assert report.verdict is Verdict.PRECISION
    assert report.first.worse == "jax"


@pytest.mark.parametrize(
    ("jax_function", "message"),
    [
        (lambda x: x[:, :3], r"shapes differ: torch \(8, 64\), jax \(8, 3\)"),
        (lambda x: x.T, r"next: the axes are torch's in another order: return jnp.transpose\(y, \(1, 0\)\)"),
        (lambda x: {"y": x}, "only the torch side returns it"),
        (lambda x: x.astype(jnp.bfloat16), "dtypes differ in the float32 run: torch float32, jax bfloat16"),
        (lambda x: x > 0, "torch float32, jax boolean"),
    ],
)
def test_a_different_structure_is_told_before_any_value(jax_function, message):
    report = parity.check(lambda x: x * 1, jax_function, X)
    assert report.verdict is Verdict.STRUCTURE
    assert report.first.stage == "structure"
    import re

    assert re.search(message, f"{report.first.message} {report.first.note}")
    assert report.first.note.startswith("next: ")


def test_a_side_that_raises_is_named_and_the_check_goes_on_to_report_it():
    def broken(x):
        raise RuntimeError("no such weather")

    report = parity.check(broken, lambda x: x, X)
    assert "torch side raised in its float64 run: RuntimeError: no such weather" in report.results[0].error
    assert report.exit_status == 3


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precisions_are_judged_by_the_same_rule(dtype):
    dtypes = ("float64", "float32", dtype)
    torch_function, jax_function, inputs = HONEST["layer norm"]
    report = parity.check(torch_function, jax_function, *inputs, dtypes=dtypes)
    assert report, str(report)
    assert {f.dtype for f in report.findings} == {"float32", dtype}


def test_assert_parity_raises_with_the_report_and_is_an_assertion():
    with pytest.raises(AssertionError, match="SEMANTIC") as caught:
        parity.assert_parity(F.gelu, jax.nn.gelu, X)
    assert isinstance(caught.value, parity.ParityError)
    assert caught.value.report.verdict is Verdict.SEMANTIC
    assert parity.assert_parity(torch.sin, jnp.sin, X)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (
            (3, jnp.sin, X),
            {},
            TypeError,
            "the torch side is a int, wanted an nn.Module, a parity.TorchSide or a function",
        ),
        ((torch.sin, None, X), {}, TypeError, "the jax side is a NoneType"),
        ((torch.sin, torch.nn.Identity(), X), {}, TypeError, "the jax side is a Identity, which is torch's"),
        ((torch.sin, jnp.sin, X), {"train": True, "steps": 2}, ValueError, "steps, train given for two functions"),
        ((torch.sin, jnp.sin, torch.zeros(2)), {}, TypeError, r"input 0 is a Tensor, wanted a NumPy array"),
        ((torch.sin, jnp.sin, X), {"dtypes": ("float8",)}, ValueError, "got 'float8', wanted one of float64"),
        ((torch.sin, jnp.sin, X), {"dtypes": ()}, ValueError, "got none"),
        ((torch.sin, jnp.sin, X), {"device": "tpu"}, ValueError, "got 'tpu', wanted one of cpu, cuda"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, options, error, message):
    with pytest.raises(error, match=message):
        parity.check(*arguments, **options)


def test_the_noise_response_is_the_derivative_where_the_function_is_smooth():
    from parity.sides import side

    x = {"x": np.array([0.3, 1.2, 4.0])}
    probed = side("torch", lambda x: x[:1] ** 20)
    base = probed.run(x, dtype="float64").tensors["forward/output"]
    h = 2.0**-24
    runs = [(probed.disturbed(x, h, s).tensors["forward/output"] - base) / h for s in range(64)]
    measured = float(np.sqrt(np.mean(np.square(runs))) / base[0])
    # |d ln y / d ln x| = 20, beside the 4 roundings that a power counts: the root of 400 + 16.
    assert measured == pytest.approx(20.4, rel=0.1)
