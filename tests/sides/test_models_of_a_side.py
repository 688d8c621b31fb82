"""Models of either framework as functions of their parameters, state and inputs."""

import dataclasses
from collections import OrderedDict, namedtuple

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch import nn

from jax_impl import nn as layers_as_torch
from parity.convert import Layout, Rule, WeightMap
from parity.sides.correspondence import ByMap, ByName
from parity.sides.given import JaxSide, TorchSide, as_jax_side, as_torch_side, is_model
from parity.sides.jax_forward import forward as jax_forward
from parity.sides.jax_forward import outline
from parity.sides.jax_model import jax_model, mode_argument
from parity.sides.jax_tree import filled, flat
from parity.sides.single import named_outputs, single_output
from parity.sides.torch_model import TorchModel, random_state_kept

pytestmark = pytest.mark.part(3)


def tensors(model, dtype=torch.float64):
    return {n: torch.from_numpy(a).to(dtype) for n, a in model.parameters.items()}


class Stateful(nn.Module):
    """A buffer that is assigned, one that is written to, and a table that does not change."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.register_buffer("assigned", torch.zeros(2))
        self.register_buffer("written", torch.zeros(2))
        self.register_buffer("table", torch.tensor([1 / 3, 2.0]), persistent=False)

    def forward(self, x):
        self.assigned = self.assigned + 1
        self.written.add_(2)
        return self.linear(x) * self.table


def test_a_torch_model_runs_on_values_that_are_given_and_gives_its_buffers_back():
    users = Stateful()
    model = TorchModel(TorchSide(users))
    assert list(model.parameters) == ["linear.weight", "linear.bias"]
    assert set(model.weights) == {"linear.weight", "linear.bias", "assigned", "written"}
    given = {"assigned": torch.full((2,), 5.0, dtype=torch.float64)}
    output, after = model(tensors(model), given, (torch.ones(1, 2, dtype=torch.float64),))
    assert output.dtype == torch.float64
    assert {n: b.tolist() for n, b in after.items() if n != "table"} == {"assigned": [6.0, 6.0], "written": [2.0, 2.0]}
    assert given["assigned"].tolist() == [5.0, 5.0]
    assert users.written.tolist() == users.assigned.tolist() == [0.0, 0.0]


def test_a_buffer_that_is_a_constant_takes_the_models_dtype_as_model_to_has_it():
    model = TorchModel(TorchSide(Stateful()))
    output, after = model(tensors(model, torch.bfloat16), {}, (torch.ones(1, 2, dtype=torch.bfloat16),))
    assert output.dtype == after["table"].dtype == torch.bfloat16


def test_tied_and_frozen_parameters_and_the_mode_are_known():
    users = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3, bias=False))
    users[1].weight = users[0].weight
    users[0].weight.requires_grad_(False)
    model = TorchModel(TorchSide(users))
    assert (model.aliases, model.frozen, model.training) == ({"1.weight": "0.weight"}, {"0.weight"}, True)
    users[0].eval()
    assert TorchModel(TorchSide(users)).training is None
    assert TorchModel(TorchSide(users), train=False).module.training is False
    assert users.training


def test_recurrent_layers_run_on_the_values_that_are_given():
    model = TorchModel(TorchSide(nn.LSTM(2, 3), call=lambda m, x: m(x)[0]))
    x = torch.ones(2, 1, 2, dtype=torch.float64)
    once, _ = model(tensors(model), {}, (x,))
    zero, _ = model({n: t * 0 for n, t in tensors(model).items()}, {}, (x,))
    assert once.abs().max() > 0
    assert zero.abs().max() == 0


def test_a_model_that_cannot_be_copied_is_refused_in_words():
    users = nn.Linear(2, 2)
    users.stream = (i for i in range(3))
    with pytest.raises(
        TypeError, match=r"the torch model Linear cannot be copied .* wanted a model that copy.deepcopy"
    ):
        TorchModel(TorchSide(users))


def test_torchs_random_state_is_kept():
    before = torch.get_rng_state()
    with random_state_kept():
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)


class Norm(nnx.Module):
    def __init__(self):
        self.bn = nnx.BatchNorm(2, rngs=nnx.Rngs(0))
        self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(1))
        self.table = jnp.ones(2)

    def __call__(self, x):
        return self.drop(self.bn(x)) + self.table


def test_an_nnx_module_splits_into_parameters_and_state_and_runs_in_a_trace():
    users = Norm()
    model = jax_model(JaxSide(users))
    assert list(model.parameters) == ["bn.bias", "bn.scale"]
    assert list(model.state) == ["bn.mean", "bn.var"]
    assert model.modes == {"bn.use_running_average=False": True, "drop.deterministic=False": True}
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    run = jax.jit(lambda p, s, x: model(p, s, (x,)))
    _, after = run({}, {"bn.mean": jnp.array([10.0, 10.0])}, x)
    # numpy.allclose, 1e-5: float32, where a momentum that is turned round gives 2 and not 10
    assert np.allclose(after["bn.mean"], [0.99 * 10 + 0.02, 0.99 * 10 + 0.03])
    assert users.bn.mean[...].tolist() == [0.0, 0.0]
    still = jax_model(JaxSide(users), mode=False, forced=True)
    output, after = still({}, {}, (x,))
    assert after["bn.mean"].tolist() == [0.0, 0.0]
    assert np.allclose(output, np.asarray(x) / np.sqrt(1 + 1e-5) + 1)


def test_a_layer_that_keeps_its_mode_as_torch_s_do_is_seen_where_the_mode_matters():
    rngs = nnx.Rngs(0)
    layers = (layers_as_torch.BatchNorm1d(2), layers_as_torch.Dropout(0.5, rngs=rngs), layers_as_torch.Dropout(0.0))
    users = layers_as_torch.Sequential(*layers, layers_as_torch.LSTM(2, 2, 2, dropout=0.1, rngs=rngs)).eval()
    users[0].train()
    assert jax_model(JaxSide(users)).modes == {
        "0.training=True": True,
        "1.training=False": False,
        "3.training=False": False,
    }


class LinenNorm(linen.Module):
    @linen.compact
    def __call__(self, x, train: bool):
        x = linen.BatchNorm(use_running_average=not train)(x)
        return x + jax.random.normal(self.make_rng("noise"), x.shape) * 0


def test_a_linen_module_has_its_collections_as_state_and_takes_the_mode_by_its_argument():
    module, x = LinenNorm(), jnp.array([[1.0, 2.0], [3.0, 4.0]])
    variables = module.init({"params": jax.random.key(0), "noise": jax.random.key(1)}, x, train=True)
    model = jax_model(JaxSide(module, variables), mode=True)
    assert list(model.parameters) == ["params.BatchNorm_0.bias", "params.BatchNorm_0.scale"]
    _, after = model({}, {}, (x,))
    # the same of float32
    assert np.allclose(after["batch_stats.BatchNorm_0.mean"], [0.02, 0.03])
    _, after = jax_model(JaxSide(module, variables), mode=False)({}, {}, (x,))
    assert np.allclose(after["batch_stats.BatchNorm_0.mean"], [0.0, 0.0])
    twice = JaxSide(module, variables, call=lambda apply, x: apply(apply(x, train=True), train=True))
    _, after = jax_model(twice)({}, {}, (x,))
    assert not np.allclose(after["batch_stats.BatchNorm_0.mean"], [0.02, 0.03])
    assert variables["batch_stats"]["BatchNorm_0"]["mean"].tolist() == [0.0, 0.0]


def test_what_a_linen_call_asks_for_besides_comes_back_to_it():
    class Sowing(linen.Module):
        @linen.compact
        def __call__(self, x):
            self.sow("intermediates", "x", x * 2)
            return linen.Dense(1)(x)

    module = Sowing()
    variables = {"params": module.init(jax.random.key(0), jnp.ones((1, 2)))["params"]}

    def call(apply, x):
        return apply(x, mutable=["intermediates"])[1]["intermediates"]["x"][0]

    output, _ = jax_model(JaxSide(module, variables, call=call))({}, {}, (jnp.ones((1, 2)),))
    assert output.tolist() == [[2.0, 2.0]]


def test_the_argument_that_tells_a_call_its_mode():
    assert mode_argument(LinenNorm.__call__, True) == {"train": True}
    assert mode_argument(lambda x, *, use_running_average: x, True) == {"use_running_average": False}
    assert mode_argument(lambda x: x, True) == mode_argument(LinenNorm.__call__, None) == {}


Pair = namedtuple("Pair", "logits hidden")


@dataclasses.dataclass
class Named(OrderedDict):
    """A named output as the transformers library makes them: a mapping with attributes."""

    logits: object = None
    past: object = None

    def __post_init__(self):
        self["logits"] = self.logits


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (1.0, ["output"]),
        ((1.0, [2.0]), ["0", "1.0"]),
        (Pair(1.0, {"a": 2.0}), ["logits", "hidden.a"]),
        (Named(1.0), ["logits"]),
        ({"logits": 1.0, "none": None}, ["logits"]),
    ],
)
def test_outputs_are_named_by_what_holds_them(output, names):
    assert list(named_outputs(output)) == names


def test_a_loss_by_name_is_taken_of_the_one_output_or_of_logits():
    assert single_output([3.0]) == single_output(Pair(3.0, 4.0)) == 3.0
    with pytest.raises(TypeError, match="taken of one output or of 'logits', got 0, 1"):
        single_output((1.0, 2.0))


def test_an_outline_names_outputs_without_computing_any():
    model = jax_model(JaxSide(lambda p, x: {"a": x @ p["w"], "told": "word"}, {"w": np.ones((3, 2), np.float32)}))
    given = {"parameters": model.parameters, "state": {}, "inputs": {"0": np.ones((1, 3))}}
    assert outline(jax_forward(model), given) == ["a", "told"]


def test_trees_are_flattened_and_filled_by_the_same_paths():
    tree = {"a": [1.0, {"b": 2.0}], "c": Pair(3.0, 4.0)}
    assert flat(tree) == {"a.0": 1.0, "a.1.b": 2.0, "c.logits": 3.0, "c.hidden": 4.0}
    assert filled(tree, {"a.1.b": 5.0}) == {"a": [1.0, {"b": 5.0}], "c": Pair(3.0, 4.0)}


def test_parameters_of_one_width_are_held_in_it_where_they_are_only_run():
    model = nn.BatchNorm1d(2)
    wide, narrow = (TorchModel(TorchSide(model), narrow=how) for how in (False, True))
    assert [{a.dtype.name for a in m.parameters.values()} for m in (wide, narrow)] == [{"float64"}, {"float32"}]
    assert narrow.buffers["running_var"].dtype == np.float64
    assert not np.shares_memory(narrow.parameters["weight"], model.weight.detach().numpy())
    model.weight = nn.Parameter(model.weight.double())
    assert TorchModel(TorchSide(model), narrow=True).parameters["bias"].dtype == np.float64


class Fused:
    """Two torch matrices side by side in one of JAX's, transposed."""

    def to_jax(self, state):
        return {"qk": np.concatenate([state["q"], state["k"]]).T}

    def to_torch(self, tree):
        q, k = np.split(np.asarray(tree["qk"]).T, 2)
        return {"q": q, "k": k}


def test_a_map_tells_where_each_tensor_stands_and_carries_both_ways():
    state = {"q": np.arange(6.0).reshape(2, 3), "k": -np.ones((2, 3)), "buffer": np.ones(1)}
    found = ByMap(Fused(), state, {})
    assert found.sources == {"q": ("qk",), "k": ("qk",)}
    moved = found.to_jax({"q": state["q"] * (1 + 1e-12)})
    assert moved["qk"].dtype == np.float64
    assert moved["qk"][1, 0] == 1 + 1e-12
    back = found.to_torch(moved)
    assert np.array_equal(back["k"], state["k"])
    assert found.to_torch({}) == {}


def test_rules_tell_the_same_places_as_numbers_carried_through_them():
    fused = [Rule(f"qkv[{2 * i}:{2 * i + 2}]", name, Layout.parse("o i -> i o")) for i, name in enumerate("ab")]
    vectors = [Rule("w", "w", Layout.parse("o -> o")), Rule("b0", "c", Layout.parse("o -> o"), plus="b1")]
    shapes = {"qkv": (4, 3), "w": (2,), "b0": (2,), "b1": (2,)}, {"b": (3, 2), "a": (3, 2), "w": (2,), "c": (2,)}
    weights = WeightMap((*fused, *vectors), *shapes, {n: (n,) for n in shapes[1]}, aliases={"tied": "w"})
    state = {n: np.random.default_rng(i).normal(size=shape) for i, (n, shape) in enumerate(shapes[0].items())}
    found = ByMap(weights, {**state, "tied": state["w"]}, {"tied": "w"})
    assert found.sources == {"qkv": ("a", "b"), "w": ("w",), "b0": ("c",), "b1": ("c",), "tied": ("w",)}
    assert found._by_number(list("abcw")) | {"b1": ("c",)} == found.sources
    moved = found.to_jax(state)
    assert np.shares_memory(moved["a"], state["qkv"])  # carried as it lies
    assert all(np.array_equal(moved[n], a) for n, a in weights.to_jax(state).items())
    assert not any(np.shares_memory(a, state["qkv"]) for a in weights.to_jax(state).values())
    back = found.to_torch(dict(moved))
    assert np.array_equal(back["qkv"], state["qkv"])
    assert np.shares_memory(back["w"], moved["w"])
    assert back.keys() == {"qkv", "w", "b0", "tied"}


def test_of_parts_that_are_sums_each_term_has_the_gradient():
    parts = [(f"x[{i}:{i + 1}]", name, f"y[{i}:{i + 1}]") for i, name in enumerate("ab")]
    rules = [Rule(first, name, Layout.parse("o -> o"), plus=second) for first, name, second in parts]
    rest = [Rule("x[2:3]", "c", Layout.parse("o -> o")), Rule("y[2:3]", "d", Layout.parse("o -> o"))]
    leaves = {n: np.array([float(i)]) for i, n in enumerate("abcd", 1)}
    weights = WeightMap((*rules, *rest), {"x": (3,), "y": (3,)}, dict.fromkeys("abcd", (1,)), {n: (n,) for n in "abcd"})
    found = ByMap(weights, {"x": np.ones(3), "y": np.ones(3)}, {})
    assert found.sources == {"x": ("a", "b", "c"), "y": ("a", "b", "d")}
    assert found.added == {"y": "x"}
    assert {n: a.tolist() for n, a in found.gradients(dict(leaves)).items()} == {"x": [1, 2, 3], "y": [1, 2, 4]}
    assert {n: a.tolist() for n, a in found.to_torch(dict(leaves)).items()} == {"x": [1, 2, 3]}  # y's is not known


def test_names_match_by_shape_too():
    found = ByName({"a": np.ones(2), "b": np.ones(3), "c": np.ones(1)}, {"a": np.zeros(2), "b": np.zeros(2)})
    assert (found.sources, found.keeps_values) == ({"a": ("a",)}, True)


def test_sides_know_their_kind_without_a_framework_being_asked():
    assert as_torch_side(nn.Identity()).kind == "module"
    assert as_jax_side(Norm()).kind == "nnx"
    assert (as_torch_side(torch.sin).kind, as_jax_side(jnp.sin).kind) == ("function", "function")
    assert [is_model(side) for side in (Norm(), TorchSide(torch.sin), torch.sin)] == [True, True, False]
    with pytest.raises(TypeError, match="the torch side is a Norm, which is JAX's; hand the torch model over first"):
        as_torch_side(JaxSide(Norm()))
    with pytest.raises(TypeError, match=r"the jax side is a int, wanted a Flax NNX module, a parity\.JaxSide"):
        as_jax_side(3)
