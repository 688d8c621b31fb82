"""Training of two models: loss, one step from a shared state, the curve; a fault is taken to its step and its part."""

import re
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
from parity.checking.batches import batches_of

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
    ("jax_loss", "cause"),
    [
        (jax_cross_entropy(reduce=jnp.sum), "reduction sum, torch has mean"),
        (jax_cross_entropy(smoothing=0.1), "label_smoothing 0.1, torch has 0"),
        (lambda output, targets: 1.1 * jax_cross_entropy()(output, targets), "the loss times 1.1"),
        (lambda output, targets: jax_cross_entropy()(output, targets) + 0.1 * (output**2).mean(), ""),
    ],
    ids=["reduction", "label smoothing", "a factor", "a term that no catalogue has"],
)
def test_a_fault_of_the_loss_is_told_at_the_stage_of_the_loss(jax_loss, cause):
    report = check(loss=(torch_cross_entropy, jax_loss))
    assert "fed the same output, the two losses alone differ" in report.first.note
    assert cause in str(report.cause or "")
    assert bool(report.cause) == bool(cause)
    assert all(f.follows == "loss of loss" for f in report.findings if f.stage == "gradient")
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


def clipped(parameters):
    def clip(*_):
        nn.utils.clip_grad_norm_(parameters, 0.5)

    optimizer = sgd(parameters)
    optimizer.register_step_pre_hook(clip)
    return optimizer


def decayed(parameters):
    return torch.optim.Adam(parameters, lr=0.01, weight_decay=0.01)


FAULTS = {
    "adam's epsilon": (adam, optax.adam(0.01, eps=1e-6), "the parameters differ", "eps 1e-06, torch has 1e-08"),
    "adam's b1": (adam, optax.adam(0.01, b1=0.8), "the optimizer's state differs", ""),
    "learning rate": (sgd, optax.sgd(0.11, 0.9), "the parameters differ", "learning rate: jax's update is 1.1 times"),
    "decoupled decay": (
        decayed,
        optax.adamw(0.01, weight_decay=0.01),
        "the optimizer's state differs",
        "weight decay decoupled: taken from the weights, torch has coupled",
    ),
    "decay after the momentum": (
        sgd,
        optax.chain(optax.sgd(0.1, 0.9), optax.add_decayed_weights(-1e-3)),
        "the parameters differ",
        "weight decay: jax's update has -0.001 times",
    ),
    "clipping": (
        sgd,
        optax.chain(optax.clip_by_global_norm(0.3), optax.sgd(0.1, 0.9)),
        "the optimizer's state differs",
        "clipping: with the loss times",
    ),
    "clipping by value": (
        clipped,
        optax.chain(optax.clip(0.25), optax.sgd(0.1, 0.9)),
        "the optimizer's state differs",
        "clipping by value, limit 0.25, torch has by norm, limit 0.5",
    ),
}


@pytest.mark.part(1)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_optimizer_is_told_at_its_first_step_with_the_part_that_differs(name):
    torch_factory, transform, part, cause = FAULTS[name]
    report = check(optimizer=(torch_factory, transform), gradient=False)
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


def test_an_optimizer_has_a_fault_of_its_own_beside_a_loss_that_is_wrong():
    loss = (torch_cross_entropy, jax_cross_entropy(reduce=jnp.sum))
    report = check(loss=loss, optimizer=(adam, optax.adam(0.01, eps=1e-4)), steps=3, gradient=False)
    causes = [f.cause.partition(".")[0] for f in report.findings if not f and not f.follows]
    assert causes == ["reduction sum, torch has mean", "eps 0"]
    assert not any(f.cause for f in report.findings if f.stage == "curve")


def test_a_schedule_that_is_a_step_behind_is_named():
    optimizer, schedule = stepped, optax.sgd(lambda count: 0.1 * 0.5 ** ((jnp.maximum(count - 1, 0)) // 3), 0.9)
    report = check(optimizer=(optimizer, schedule), steps=6, gradient=False)
    assert (report.first.stage, report.first.step) == ("update", 3)
    assert str(report.cause).startswith("schedule one step behind, torch has its own step.")
    assert next(f for f in report.findings if f.stage == "curve").cause == report.cause.text


INPUTS = [RNG.normal(size=(4, IN)) for _ in range(4)]
DATA = [(x, RNG.integers(0, OUT, 4)) for x in INPUTS]
ORDER = np.array([2, 0, 3, 1])

PIPELINES = {
    "the same at float32": ([(np.float32(x), y) for x, y in DATA], None, ""),
    "a batch ahead": ([*DATA[1:], DATA[0]], 0, "order of batches: jax's step 0 has torch's batch of step 1"),
    "rows": ([*DATA[:2], *((x[ORDER], y[ORDER]) for x, y in DATA[2:])], 2, "order within the batch"),
    "targets alone": ([DATA[0], *((x, y[::-1]) for x, y in DATA[1:])], 1, "targets alone is in another order"),
    "normalisation": ([(2 * x - 1, y) for x, y in DATA], 0, "normalisation: jax's inputs.0 is 2 x torch's -1"),
    "one number": ([*DATA[:3], (DATA[3][0] + 1e-3 * (DATA[3][0] > 1), DATA[3][1])], 3, ""),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_the_data_of_both_sides_are_compared_step_by_step(name):
    other, step, cause = PIPELINES[name]
    _, (finding,) = batches_of((DATA, other), 0)
    assert bool(finding) is (step is None)
    assert (finding.stage, finding.step) == ("data", step)
    assert finding.cause.startswith(cause)
    assert bool(finding.cause) is bool(cause)


def test_a_curve_runs_over_batches_and_data_that_differ_are_told_apart_from_it():
    tensors = [[torch.from_numpy(x), torch.from_numpy(y)] for x, y in DATA]
    options = {"weights": MLP_MAP, "loss": "cross_entropy", "optimizer": (sgd, optax.sgd(0.1, 0.9)), "gradient": False}
    report = parity.check(MODEL, mlp(), batches=(iter(tensors), [*DATA[1:], DATA[0]]), **options)
    assert (report.first.stage, report.first.step, report.verdict) == ("data", 0, Verdict.SEMANTIC)
    assert report.stages["update"] is report.stages["curve"] is Verdict.AGREE
    alone = parity.check(MODEL, mlp(), X, targets=CLASSES, steps=4, **options)
    assert not np.array_equal(report.results[0].curves[0].torch64, alone.results[0].curves[0].torch64)
    twin = TorchMLP().double()
    twin.load_state_dict(MODEL.state_dict())
    optimizer, losses = sgd(twin.parameters()), []
    for x, y in tensors:
        optimizer.zero_grad()
        losses.append(F.cross_entropy(twin(x), y))
        losses[-1].backward()
        optimizer.step()
    found = report.results[0].curves[0].torch64
    np.testing.assert_allclose(found, [loss.item() for loss in losses], rtol=1e-12)  # some roundings of float64


def test_batches_that_cannot_be_used_are_refused_with_what_is_wanted():
    for given, steps, told in (
        (3, 0, "batches is a int, wanted an iterable of"),
        ([X], 0, "step 0: a ndarray, wanted an iterable of"),
        (DATA, 5, "4 for steps=5"),
        ([*DATA, (X[:2], CLASSES[:2])], 0, "drop_last=True"),
    ):
        with pytest.raises((TypeError, ValueError), match=re.escape(told)):
            batches_of(given, steps)
    with pytest.raises(ValueError, match="batches without an optimizer"):
        check(batches=DATA)


SLOTS = {
    "groups": lambda p: torch.optim.AdamW([{"params": p[:2]}, {"params": p[2:], "weight_decay": 0.0}], lr=0.01),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "ASGD": lambda p: torch.optim.ASGD(p, lr=0.01, t0=1.0),
}


def remembering(params):
    return {"mine": jax.tree.map(jnp.zeros_like, params)}


def remembered(fade):
    """SGD with a momentum that torch knows by no name of its own."""

    def update(gradients, state, params=None):
        mine = jax.tree.map(lambda velocity, gradient: fade * velocity + gradient, state["mine"], gradients)
        return jax.tree.map(lambda velocity: -0.1 * velocity, mine), {"mine": mine}

    return optax.GradientTransformation(remembering, update)


@pytest.mark.parametrize(
    ("transform", "agrees"),
    [(remembered(0.9), True), (remembered(0.9 + 1e-9), False), (optax.sgd(0.1), False)],
    ids=["the same", "a billionth more", "none"],
)
def test_what_an_optimizer_remembers_under_another_name_is_told_by_three_steps(transform, agrees):
    options = {"weights": None, "loss": "cross_entropy", "targets": CLASSES, "gradient": False}
    pair = (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)), transform
    report = parity.check(filled(nn.Linear(IN, OUT)), ByTorchsNames(), X, optimizer=pair, **options)
    assert bool(report) is agrees, str(report)
    assert "the curve must show the rest: momentum_buffer" in str(report.results[0].remarks)
    assert agrees or report.first.stage == "curve"


@pytest.mark.part(1)
@pytest.mark.parametrize("name", SLOTS)
def test_every_slot_of_an_optimizer_is_compared_and_handed_to_both(name):
    model = nn.Linear(IN, OUT)
    options = {"weights": None, "loss": "cross_entropy", "targets": CLASSES, "gradient": False}
    report = parity.check(filled(model), ByTorchsNames(), X, optimizer=SLOTS[name], steps=12, **options)
    assert report, str(report)
    assert not any("without a partner" in remark for remark in report.results[0].remarks)
    updates = [f for f in report.findings if f.stage == "update"]
    slots = {"groups": {"exp_avg", "exp_avg_sq"}, "NAdam": {"mu_product", "exp_avg"}, "ASGD": {"eta", "mu", "ax"}}[name]
    assert {f"{slot} of weight" for slot in slots} <= {f.torch_path for f in updates}
    assert {f.step for f in updates} == {0, 10}


def test_stock_optax_over_two_groups_has_its_slots_paired():
    labels = lambda tree: jax.tree.map(lambda leaf: "matrix" if leaf.ndim > 1 else "vector", tree)
    transform = optax.multi_transform({"matrix": optax.sgd(0.1, 0.9), "vector": optax.sgd(0.1, 0.9)}, labels)
    report = check(optimizer=(sgd, transform), steps=2, gradient=False)
    assert report, str(report)
    assert "momentum_buffer of up.weight" in {f.torch_path for f in report.findings if f.stage == "update"}


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
