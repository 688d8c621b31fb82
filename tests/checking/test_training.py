"""Training of two models: loss, one step from a shared state, the curve; a fault is taken to its step and its part."""

import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx
from torch import nn
from torch.nn import functional as F
from twins import MLP_MAP, TorchMLP, filled, mlp
from twins.perceptron import IN, OUT

import parity
from parity import Verdict

pytestmark = pytest.mark.part(2)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, IN))
CLASSES = np.array([0, 1, 2, 1])
MODEL = filled(TorchMLP())


def check(**options):
    options = {"weights": MLP_MAP, "loss": "cross_entropy", "targets": CLASSES} | options
    return parity.check(MODEL, mlp(), X, **options)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.01)


def stepped(parameters):
    optimizer = sgd(parameters)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)


def torch_cross_entropy(output, targets):
    return F.cross_entropy(output, targets)


def jax_cross_entropy(smoothing=0.0, reduce=jnp.mean):
    def loss(output, targets):
        classes = optax.smooth_labels(jax.nn.one_hot(targets, OUT), smoothing)
        return reduce(optax.softmax_cross_entropy(output, classes))

    return loss


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        ("cross_entropy", np.array([0, -100, 2, 1])),
        ("mse", RNG.normal(size=(4, OUT))),
        ((torch_cross_entropy, jax_cross_entropy()), CLASSES),
    ],
    ids=["cross entropy", "mse", "a pair"],
)
def test_an_honest_pair_agrees_in_the_loss_and_its_gradients(loss, targets):
    report = check(loss=loss, targets=targets)
    assert report, str(report)
    assert [f.torch_path for f in report.findings if f.stage == "loss"] == ["loss"]
    assert sum(f.stage == "gradient" for f in report.findings) == 7


def test_the_gradients_are_those_of_the_loss_itself():
    from parity.sides import torch_forward
    from parity.sides.given import TorchSide
    from parity.sides.torch_model import TorchModel
    from parity.sides.torch_side import TorchSide as Side

    model = TorchModel(TorchSide(MODEL))
    function = torch_forward.forward(model, loss="cross_entropy")
    given = {"parameters": model.parameters, "fixed": {}, "state": {}, "own": {}, "inputs": {"0": X}}
    trace = Side(function).run(given | {"targets": CLASSES}, dtype="float64", wrt=("parameters",))
    twin = TorchMLP().double()
    twin.load_state_dict(MODEL.state_dict())
    F.cross_entropy(twin(torch.from_numpy(X)), torch.from_numpy(CLASSES)).backward()
    for name, parameter in twin.named_parameters():
        found = trace.tensors[f"gradient/parameters.{name}"]
        np.testing.assert_allclose(found, parameter.grad.numpy(), rtol=1e-12)  # two orders of float64's rounding


@pytest.mark.parametrize(
    "jax_loss",
    [jax_cross_entropy(reduce=jnp.sum), jax_cross_entropy(smoothing=0.1)],
    ids=["reduction", "label smoothing"],
)
def test_a_fault_of_the_loss_is_told_at_the_stage_of_the_loss(jax_loss):
    report = check(loss=(torch_cross_entropy, jax_loss))
    assert (report.first.stage, report.first.torch_path, report.verdict) == ("loss", "loss", Verdict.SEMANTIC)
    assert report.stages["forward"] is Verdict.AGREE
    assert report.stages["gradient"] is Verdict.SEMANTIC


def test_logits_with_the_classes_in_the_second_axis_and_in_the_last():
    model = nn.Conv1d(2, OUT, 1)
    from twins import Handmade

    weights = Handmade(weight=("w", 2, 1, 0), bias=("b",))

    def twin(params, x):
        return jnp.einsum("nct,xcd->ndt", x, params["w"]) + params["b"][:, None]

    x, targets = RNG.normal(size=(2, 2, 5)), RNG.integers(0, OUT, size=(2, 5))
    report = parity.check(filled(model), twin, x, weights=weights, loss="cross_entropy", targets=targets)
    assert report, str(report)


def test_an_honest_training_agrees_in_every_step_and_the_curve():
    report = check(optimizer=(stepped, optax.sgd(optax.exponential_decay(0.1, 3, 0.5, staircase=True), 0.9)), steps=12)
    assert report, str(report)
    steps = {f.step for f in report.findings if f.stage == "update"}
    assert steps == {0, 10}
    compared = {f.torch_path: f.jax_path for f in report.findings if f.stage == "update"}
    assert compared["momentum_buffer of up.weight"] == "0.trace of fc1.kernel"
    assert compared["gradient of up.weight"] == "gradient of fc1.kernel"
    assert compared["up.weight"] == "fc1.kernel"
    assert next(f.torch_path for f in report.findings if f.stage == "curve") == "losses"
    assert report.results[0].curves[0].name == "losses"


FAULTS = {
    "adam's epsilon": (adam, optax.adam(0.01, eps=1e-6), "the parameters differ", ""),
    "adam's b1": (adam, optax.adam(0.01, b1=0.8), "the optimizer's state differs", ""),
    "learning rate": (sgd, optax.sgd(0.11, 0.9), "the parameters differ", "learning rate: jax's update is 1.1 times"),
    "decoupled decay": (
        sgd,
        optax.chain(optax.sgd(0.1, 0.9), optax.add_decayed_weights(-1e-3)),
        "the parameters differ",
        "weight decay: jax's update has -0.001 times",
    ),
    "clipping": (
        sgd,
        optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1, 0.9)),
        "the optimizer's state differs",
        "clipping: with the loss times",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_optimizer_is_told_at_its_first_step_with_the_part_that_differs(name):
    torch_factory, transform, part, cause = FAULTS[name]
    report = check(optimizer=(torch_factory, transform))
    assert (report.first.stage, report.first.step) == ("update", 0)
    assert report.verdict is Verdict.SEMANTIC
    assert "parts at step 0: the loss, the gradients" in report.first.note
    assert part in report.first.note
    assert str(report.cause or "").startswith(cause)
    assert bool(report.cause) == bool(cause)


def test_a_curve_that_parts_is_taken_to_its_step():
    later = optax.sgd(optax.exponential_decay(0.1, 4, 0.5, staircase=True), 0.9)
    report = check(optimizer=(stepped, later), steps=6)
    assert (report.first.stage, report.first.step) == ("update", 3)
    assert str(report.cause).startswith(
        "the schedule of the learning rate: jax's update is 2 times torch's in every element"
    )
    losses = next(f for f in report.findings if f.stage == "curve")
    assert (losses.torch_path, losses.step) == ("losses", 4)
    assert "parts at step 3" in losses.note


class ByTorchsNames(nnx.Module):
    """A linear layer that has torch's names and layout."""

    def __init__(self):
        self.weight = nnx.Param(jnp.asarray(LAYER.weight.detach().numpy()))
        self.bias = nnx.Param(jnp.asarray(LAYER.bias.detach().numpy()))

    def __call__(self, x):
        return x @ self.weight[...].T + self.bias[...]


LAYER = filled(nn.Linear(IN, OUT))


@pytest.mark.parametrize(("rate", "agrees"), [(0.1, True), (0.2, False)])
def test_a_torch_optimizer_alone_is_translated(monkeypatch, rate, agrees):
    def from_torch(optimizer, weights, *, model):
        assert weights is None
        assert [p.shape for p in optimizer.param_groups[0]["params"]] == [p.shape for p in model.parameters()]

        def update(gradients, state, parameters):
            assert list(parameters) == ["bias", "weight"]
            sums = {n: 0.9 * state["momentum_buffer"][n] + g for n, g in gradients.items()}
            return {n: -rate * s for n, s in sums.items()}, {"momentum_buffer": sums}

        def init(parameters):
            return {"momentum_buffer": {n: jnp.zeros_like(p) for n, p in parameters.items()}}

        return optax.GradientTransformation(init, update)

    monkeypatch.setitem(sys.modules, "parity.convert.optim", types.SimpleNamespace(from_torch=from_torch))
    options = {"weights": None, "loss": "cross_entropy", "targets": CLASSES, "optimizer": sgd, "steps": 3}
    report = parity.check(LAYER, ByTorchsNames(), X, **options)
    assert bool(report) is agrees, str(report)
    assert "momentum_buffer of weight" in {f.torch_path for f in report.findings if f.stage == "update"}
    assert str(report.cause or "").startswith("" if agrees else "learning rate: jax's update is 2 times torch's")


def test_what_cannot_be_trained_is_told():
    report = check(optimizer=(lambda parameters: 3, optax.sgd(0.1)))
    assert (report.first.stage, report.first.verdict) == ("update", Verdict.STRUCTURE)
    assert "the torch optimizer's factory gave a int" in report.first.message
    report = check(optimizer=(sgd, 3))
    assert "the jax optimizer is a int" in report.first.message
    report = check(optimizer=(sgd, optax.sgd(0.1)), weights=None)
    assert "no parameter of jax is known for up.weight" in report.findings[-1].message
    report = check(loss=(lambda output, targets: output, jax_cross_entropy()))
    assert report.results[0].error.startswith("the torch side raised: TypeError: the loss gave shape (4, 3)")
