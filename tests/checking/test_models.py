"""Two whole models: honest twins agree in outputs, state and gradients; planted faults are told, each by its stage."""

import importlib.util
import sys
import types

import equinox
import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch import nn
from twins import MLP_MAP, TorchMLP, filled, mlp
from twins.perceptron import IN, LINEN_MAP, EquinoxMLP, LinenMLP

import parity
from parity import JaxSide, TorchSide, Verdict
from parity.sides import MissingFramework

pytestmark = pytest.mark.part(2)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, IN))
MODEL = filled(TorchMLP())


def stages(report):
    return {stage: verdict.value for stage, verdict in report.stages.items() if verdict is not Verdict.AGREE}


def linen_side(**options):
    module = LinenMLP(**options)
    return JaxSide(module, module.init(jax.random.key(0), X[:1].astype(np.float32)))


def test_an_nnx_twin_agrees_and_every_gradient_stands_under_both_names():
    report = parity.check(MODEL, mlp(), X, weights=MLP_MAP)
    assert report, str(report)
    gradients = {f.torch_path: f.jax_path for f in report.findings if f.stage == "gradient"}
    assert gradients == {
        "up.weight": "fc1.kernel",
        "up.bias": "fc1.bias",
        "norm.weight": "ln.scale",
        "norm.bias": "ln.bias",
        "down.weight": "fc2.kernel",
        "down.bias": "fc2.bias",
        "inputs.0": "inputs.0",
    }
    assert report.cause is None


@pytest.mark.parametrize(
    "side",
    [linen_side(), JaxSide(linen_side().module, linen_side().variables, call=lambda apply, x: apply(x, train=False))],
    ids=["as it is", "with a call"],
)
def test_a_linen_twin_agrees(side):
    assert parity.check(MODEL, side, X, weights=LINEN_MAP)


def test_an_equinox_twin_with_torchs_names_needs_no_map_and_a_call_maps_it_over_the_batch():
    side = JaxSide(EquinoxMLP(), call=lambda m, x: jax.vmap(m)(x))
    report = parity.check(MODEL, JaxSide(holding(EquinoxMLP()), call=side.call), X, weights=None)
    assert report, str(report)
    assert sum(f.stage == "gradient" for f in report.findings) == 7
    untouched = parity.check(MODEL, side, X, weights=None)
    assert untouched.first.torch_path == "up.weight"
    assert "the values differ, and each side keeps its own" in untouched.first.message
    faulty = parity.check(MODEL, JaxSide(holding(EquinoxMLP(eps=1e-6)), call=side.call), X, weights=None)
    assert faulty.first.stage == "forward"


def holding(module):
    """An Equinox module with torch's values."""
    values = [getattr(MODEL, n) for n in ("up", "norm", "down")]
    return equinox.tree_at(
        lambda m: [getattr(m, n) for n in ("up", "norm", "down")],
        module,
        [
            equinox.tree_at(
                lambda p: (p.weight, p.bias),
                part,
                (jnp.asarray(own.weight.detach().numpy()), jnp.asarray(own.bias.detach().numpy())),
            )
            for part, own in zip((module.up, module.norm, module.down), values, strict=True)
        ],
    )


def test_a_function_of_parameters_agrees_given_them_or_given_a_map_alone():
    def apply(params, x):
        hidden = jax.nn.gelu(x @ params["fc1"]["kernel"] + params["fc1"]["bias"], approximate=False)
        hidden = (hidden - hidden.mean(-1, keepdims=True)) / jnp.sqrt(hidden.var(-1, keepdims=True) + 1e-5)
        hidden = hidden * params["ln"]["scale"] + params["ln"]["bias"]
        return hidden @ params["fc2"]["kernel"] + params["fc2"]["bias"]

    state = {name: tensor.numpy() for name, tensor in MODEL.state_dict().items()}
    own = parity.check(MODEL, JaxSide(apply, MLP_MAP.to_jax(state)), X, weights=MLP_MAP)
    assert own, str(own)
    assert len(own.findings) == len(parity.check(MODEL, apply, X, weights=MLP_MAP).findings) == 9


@pytest.mark.parametrize(
    ("fault", "stage", "path", "forward"),
    [
        ({"eps": 1e-6}, "forward", "output", "SEMANTIC"),
        ({"tanh": True}, "forward", "output", "SEMANTIC"),
        ({"dropout": 0.5, "left_on": True}, "structure", "no dropout", None),  # told, and the rest agrees without it
    ],
    ids=["layer norm's epsilon", "tanh gelu", "dropout left on"],
)
def test_a_fault_of_the_model_is_told_by_its_stage(fault, stage, path, forward):
    report = parity.check(MODEL, mlp(**fault), X, weights=MLP_MAP, train=False)
    assert not report
    assert (report.first.stage, report.first.torch_path) == (stage, path)
    assert stages(report).get("forward") == forward


def test_a_missing_bias_is_a_parameter_without_a_leaf():
    report = parity.check(MODEL, mlp(bias=False), X, weights=MLP_MAP.without("down.bias"))
    assert report.verdict is Verdict.STRUCTURE
    assert (report.first.torch_path, report.first.stage) == ("down.bias", "structure")
    assert "to no leaf of jax" in report.first.message


def test_a_wrong_layout_of_a_square_kernel_is_told():
    model, twin = filled(nn.Linear(3, 3)), nnx.Linear(3, 3, rngs=nnx.Rngs(0))
    right = {"weight": ("kernel", 1, 0), "bias": ("bias",)}
    x = RNG.normal(size=(2, 3))
    assert parity.check(model, twin, x, weights=type(MLP_MAP)(**right))
    wrong = parity.check(model, twin, x, weights=type(MLP_MAP)(**(right | {"weight": ("kernel",)})))
    assert wrong.first.stage == "forward"


def test_the_users_models_stay_as_they_are():
    model, twin = filled(TorchMLP(dropout=0.5)), mlp(dropout=0.5)
    model.up.weight.requires_grad_(False)
    model.norm.eval()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(twin, nnx.Not(nnx.RngKey)))]
    stream, state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    report = parity.check(model, twin, X, weights=MLP_MAP)
    assert report, str(report)
    assert all(torch.equal(t, before[n]) and t.dtype == torch.float32 for n, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert (model.training, model.norm.training) == (True, False)
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, True, True, True]
    assert torch.equal(torch.get_rng_state(), stream)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    after = [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(twin, nnx.Not(nnx.RngKey)))]
    assert all(np.array_equal(a, b) for a, b in zip(leaves, after, strict=True))


def test_outputs_match_by_name_then_by_position_and_none_is_skipped():
    def torch_outputs(model, x):
        return model(x), {"hidden": model.up(x)}, x.sum()

    def jax_outputs(model, x):
        return {"logits": model(x), "features": {"hidden": model.fc1(x)}}

    def both(jax_call):
        sides = TorchSide(MODEL, call=torch_outputs), JaxSide(mlp(), call=jax_call)
        return parity.check(*sides, X, weights=MLP_MAP)

    named = both(lambda m, x: (m(x), {"hidden": m.fc1(x)}, x.sum()))
    assert named, str(named)
    placed = both(jax_outputs)
    forward = {f.torch_path: f.jax_path for f in placed.findings if f.stage == "forward"}
    assert forward == {"0": "logits", "1.hidden": "features.hidden"}
    assert "outputs matched by position, torch / jax: 0 / logits" in str(placed.results[0].remarks)
    assert (placed.first.torch_path, placed.first.verdict) == ("2", Verdict.STRUCTURE)
    assert "only the torch side returns it" in placed.first.message


def test_each_side_keeps_its_own_weights_where_it_is_told_to_and_what_is_not_compared_is_told():
    twin = mlp()
    nnx.update(twin, MLP_MAP.to_jax({n: t.numpy() for n, t in MODEL.state_dict().items()}))
    report = parity.check(MODEL, twin, X, weights=None)
    assert report, str(report)
    assert [f.torch_path for f in report.findings if f.stage == "gradient"] == ["inputs.0"]
    told = report.results[0].remarks
    assert "no parameter's gradient is compared" in told[0]
    fresh = parity.check(MODEL, mlp(), X, weights=None).results[0].remarks
    assert any(r.startswith("input jax's fc1.bias, jax's fc2.bias, jax's ln.bias: 0 everywhere") for r in fresh)


def test_weights_auto_that_cannot_be_mapped_say_so(monkeypatch):
    class MappingError(ValueError):
        pass

    def map_onwards(*sides):
        raise MappingError("3 of 6 leaves mapped; stopped at norm (torch) / ln (jax)")

    monkeypatch.setitem(sys.modules, "parity.convert", types.SimpleNamespace(map_onwards=map_onwards))
    report = parity.check(MODEL, mlp(), X)
    assert (report.verdict, report.exit_status) == (Verdict.STRUCTURE, 1)
    assert "3 of 6 leaves mapped; stopped at norm (torch) / ln (jax)" in report.first.message


def test_the_modes_are_checked_and_set_where_asked():
    model, twin = filled(TorchMLP(dropout=0.4)).eval(), mlp(dropout=0.4)
    report = parity.check(model, twin, X, weights=MLP_MAP)
    assert (report.first.torch_path, report.first.stage) == ("no dropout", "structure")
    assert "dropout is on in jax (p = 0.4; drop) and off in torch" in str(report.cause)
    assert parity.check(model, twin, X, weights=MLP_MAP, train=False)
    trained = parity.check(model, twin, X, weights=MLP_MAP, train=True)
    assert trained, str(trained)
    assert "random draws on each side, replayed" in str(trained.results[0].remarks)
    assert parity.check(model.train(), linen_side(dropout=0.4), X, weights=LINEN_MAP)
    other = parity.check(model, mlp(dropout=0.3), X, weights=MLP_MAP)
    assert "differs in its probability" in other.first.message


def test_a_convention_is_accepted_by_the_parameters_torch_name():
    class Kinked(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([1.0, -2.0]))

        def forward(self, x):
            return (x * self.scale).clamp(min=0.0)

    def twin(params, x):
        return jnp.maximum(x * params["scale"], 0.0)

    side = JaxSide(twin, {"scale": np.array([1.0, -2.0], np.float32)})
    x = np.array([[0.0, 1.0], [0.5, 0.0]])
    report = parity.check(Kinked(), side, x, weights=None)
    assert (report.first.torch_path, report.first.verdict) == ("inputs.0", Verdict.CONVENTION)
    accepted = {"conventions": {"gradient/inputs.0": "two slopes at zero"}}
    assert parity.check(Kinked(), side, x, weights=None, **accepted)
    trained = parity.check(Kinked(), side, x, weights=None, loss="mse", targets=np.ones((2, 2)), **accepted)
    assert trained, str(trained)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((MODEL, LinenMLP(), X), {}, TypeError, "a Linen module, LinenMLP, without variables; wanted parity.JaxSide"),
        ((mlp(), MODEL, X), {}, TypeError, "the torch side is a NnxMLP, which is JAX's"),
        ((TorchMLP, mlp(), X), {}, TypeError, "the torch side is the class TorchMLP, wanted an nn.Module"),
        ((MODEL, JaxSide(mlp(), {}), X), {}, TypeError, "holds its own variables"),
        ((MODEL, mlp(), torch.zeros(2)), {}, TypeError, "input 0 is a Tensor, wanted a NumPy array"),
        ((MODEL, mlp(), X), {"weights": 3}, TypeError, "weights is 3, wanted 'auto', None or a parity.WeightMap"),
        ((MODEL, mlp(), X), {"loss": "hinge"}, ValueError, "wanted one of cross_entropy, mse"),
        ((MODEL, mlp(), X), {"loss": "mse"}, ValueError, "needs targets="),
        ((MODEL, mlp(), X), {"loss": torch.sum}, TypeError, "wanted a pair, torch's first"),
        ((MODEL, mlp(), X), {"targets": X}, ValueError, "targets without a loss"),
        ((MODEL, mlp(), X), {"optimizer": torch.optim.SGD}, ValueError, "an optimizer without a loss"),
        ((MODEL, mlp(), X), {"steps": 3}, ValueError, "without an optimizer"),
    ],
)
def test_bad_arguments_are_refused_in_words(arguments, options, error, message):
    with pytest.raises(error, match=message):
        parity.check(*arguments, **options)


def test_sides_that_raise_are_named_torch_first():
    def broken(model, x):
        raise RuntimeError("no such weather")

    one = parity.check(MODEL, JaxSide(mlp(), call=broken), X, weights=MLP_MAP)
    assert one.results[0].error == "the jax side raised: RuntimeError: no such weather (the torch side runs)"
    assert one.exit_status == 3
    both = parity.check(TorchSide(MODEL, call=broken), JaxSide(mlp(), call=broken), X, weights=MLP_MAP)
    assert both.results[0].error.startswith("the torch side raised: RuntimeError: no such weather; the jax side raised")
    torch_only = parity.check(MODEL, mlp(), X[:, :2], weights=MLP_MAP)
    assert torch_only.results[0].error.startswith("the torch side raised: RuntimeError: mat1 and mat2 shapes")


def test_a_missing_framework_is_named_with_what_to_install(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "jax" else real(name, *rest))
    with pytest.raises(
        MissingFramework, match=r"the jax side cannot run: jax not installed; pip install 'parity\[jax\]'"
    ):
        parity.check(MODEL, mlp(), X, weights=MLP_MAP)


def test_a_jax_model_that_cannot_be_traced_runs_without_compiling():
    def call(model, x):
        return model(x) * (2.0 if float(x[0, 0]) > 100 else 1.0)

    report = parity.check(MODEL, JaxSide(mlp(), call=call), X, weights=MLP_MAP)
    assert "the jax side raised: ConcretizationTypeError" in report.results[0].error
    assert parity.check(MODEL, JaxSide(mlp(), call=call), X, weights=MLP_MAP, jit=False, gradient=False)


def test_a_model_that_keeps_its_dtype_is_told():
    class Half(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(3, dtype=jnp.bfloat16)(x)

    module = Half()
    side = JaxSide(module, module.init(jax.random.key(0), X[:1]))
    weights = type(MLP_MAP)(weight=("params.Dense_0.kernel", 1, 0), bias=("params.Dense_0.bias",))
    report = parity.check(filled(nn.Linear(IN, 3)), side, X, weights=weights)
    assert report.first.verdict is Verdict.STRUCTURE
    assert "dtypes differ in the float32 run: torch float32, jax bfloat16" in report.first.message
