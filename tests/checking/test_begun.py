"""The outline's float32 run is the judged one: torch runs once less, and every finding is as if it had run again."""

import dataclasses
import random

import jax
import numpy as np
import pytest
import torch
from flax import nnx
from planted import by_hand

import parity
from parity.checking.begun import Begun
from parity.trace import Trace

X = np.random.default_rng(0).normal(size=(5, 3))


class Torch(torch.nn.Module):
    """Its counter of batches is a buffer that JAX has no partner for."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.norm(self.layer(x)))


class Jax(nnx.Module):
    def __init__(self) -> None:
        self.layer = nnx.Linear(3, 4, rngs=nnx.Rngs(0))
        self.norm = nnx.BatchNorm(4, momentum=0.9, epsilon=1e-5, rngs=nnx.Rngs(0))

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.numpy.tanh(self.norm(self.layer(x)))


def checked(call=lambda model, x: model(x), **options):
    """(The report of a check, and how often torch ran at float32.)"""
    torch.manual_seed(0)
    model, twin, seen = Torch(), Jax(), []

    def counted(own, x):
        seen.append(x.dtype)
        return call(own, x)

    weights = by_hand(model, twin, {"layer": "layer", "norm": "norm"})
    weights = dataclasses.replace(weights, torch_alone={"norm.num_batches_tracked": "a counter"})
    report = parity.check(parity.TorchSide(model, call=counted), twin, X, weights=weights, train=False, **options)
    return report, seen.count(torch.float32)


def test_the_judged_float32_run_is_the_one_that_the_outline_is_read_from(monkeypatch):
    report, runs = checked()
    assert report, str(report)
    assert runs == 1
    with monkeypatch.context() as patched:
        patched.setattr(Begun, "taken", lambda *_, **__: None)
        again, more = checked()
    assert more == 2
    assert list(map(repr, again.findings)) == list(map(repr, report.findings))
    assert {f.stage for f in report.findings} >= {"forward", "state", "gradient"}
    assert again.results[0].remarks == report.results[0].remarks


@pytest.mark.parametrize(
    "draw",
    [lambda: np.random.random(), lambda: random.random(), lambda: torch.nn.init.normal_(torch.empty(1)).item()],  # noqa: NPY002
    ids=["NumPy's", "Python's", "an initialiser's"],
)
def test_a_model_that_draws_from_a_generator_runs_again(draw):
    _, runs = checked(lambda model, x: model(x) + 0.0 * draw(), gradient=False)
    assert runs == 2


def test_a_model_without_gradients_is_told_of_as_it_was():
    class Barred(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, gradient):
            raise ValueError("no way back")

    report, _ = checked(lambda model, x: Barred.apply(model(x)))
    assert "the torch side raised in its float64 run: ValueError: no way back" in " ".join(str(report).split())


RUN = Trace({"forward/output": np.zeros(1)})
MADE = {"parameters": {"w": np.float32([1.5, 2.5])}, "inputs": {"0": np.float32([0.1])}, "targets": np.arange(2)}
HOW = {"dtype": "float32", "device": "cpu", "wrt": (), "stage": "forward"}


def test_a_run_is_taken_once_and_from_wider_copies_of_its_inputs():
    begun = Begun(RUN, MADE, **HOW)
    wider = {**MADE, "inputs": {"0": MADE["inputs"]["0"].astype(np.float64)}}
    assert begun.taken(wider, **HOW) is RUN
    assert begun.taken(wider, **HOW) is None


@pytest.mark.parametrize(
    ("inputs", "how"),
    [
        ({"inputs": {"0": np.nextafter(np.float32([0.1]), np.float32(1))}}, {}),
        ({"inputs": {"0": np.float32([[0.1]])}}, {}),
        ({"inputs": {"1": np.float32([0.1])}}, {}),
        ({"targets": np.arange(2).astype(np.int32)}, {}),
        ({"targets": None}, {}),
        ({"parameters": {"w": np.float32([1.5, 2.5]) + 1j}}, {}),
        ({}, {"wrt": ("parameters",)}),
        ({}, {"dtype": "bfloat16"}),
        ({}, {"lift": False}),
    ],
)
def test_a_run_on_other_inputs_or_in_another_way_is_no_such_run(inputs, how):
    assert Begun(RUN, MADE, **HOW).taken({**MADE, **inputs}, **{**HOW, **how}) is None
