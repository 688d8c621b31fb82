"""Checkpoints: torch's names and layout on both sides, and pure application."""

import numpy as np
import pytest
from checkpointed import EVERY_KIND, SIZES, arrays, bits, contents, mlp, several_kinds

from parity.cases.lenet import mlp_state

pytestmark = pytest.mark.part(1)


@pytest.fixture
def checkpoint(pair):
    return pair.module("checkpoint")


def test_every_kind_of_layer_has_torchs_names_and_layout(pair, checkpoint):
    model = several_kinds(pair)
    assert {name: tuple(value.shape) for name, value in checkpoint.state_dict(model).items()} == EVERY_KIND
    statistics = {name for name in EVERY_KIND if "running" in name}
    assert set(checkpoint.parameter_names(model)) == set(EVERY_KIND) - statistics
    # stem is float64, the rest float32: nothing is rounded on its way into the state
    assert {name for name, (dtype, _, _) in contents(pair, model).items() if dtype == "float64"} == {
        "stem.weight",
        "stem.bias",
    }


def test_a_state_comes_back_as_it_was_loaded(pair, checkpoint):
    rng = np.random.default_rng(0)
    state = arrays(pair, {name: rng.normal(size=shape) for name, shape in EVERY_KIND.items()})
    state["shared.weight"] = state["head.weight"]
    model = several_kinds(pair)
    checkpoint.load_state_dict(model, state)
    assert contents(pair, model) == {name: bits(pair, value) for name, value in state.items()}


def test_a_square_weight_is_turned_too(pair, checkpoint):
    model = mlp(pair, sizes=(2, 2))
    weight = [[1.0, 2.0], [3.0, 4.0]]
    state = {"layers.0.weight": pair.array(weight), "layers.0.bias": pair.array([0.0, 0.0])}
    output = checkpoint.apply(model, state, pair.array([[1.0, 10.0]])).tolist()
    assert output == [[21.0, 43.0]]
    assert output != (np.array([[1.0, 10.0]]) @ weight).tolist()  # what the planted fault, no transpose, would give


def test_a_state_is_a_snapshot(pair, checkpoint):
    model = mlp(pair)
    state = checkpoint.state_dict(model)
    before = {name: bits(pair, value) for name, value in state.items()}
    checkpoint.load_state_dict(model, checkpoint.state_dict(mlp(pair, seed=1)))
    assert contents(pair, model) != before
    assert {name: bits(pair, value) for name, value in state.items()} == before


def test_loading_copies_so_that_training_the_model_leaves_the_state(pair, checkpoint):
    if pair.name == "torch":
        import torch

        model, state = mlp(pair), arrays(pair, mlp_state(np.random.default_rng(1), *SIZES))
        weight = model.layers[0].weight
        checkpoint.load_state_dict(model, state)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        assert bool(state["layers.0.weight"].all())
        assert model.layers[0].weight is weight, "an optimizer that holds the parameter has lost it"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.pop("layers.1.bias"), r"the state lacks \['layers.1.bias'\], and has \[\]"),
        (
            lambda s: s.update(gate=s["layers.0.bias"]),
            r"the state lacks \[\], and has \['gate'\], which the model has not",
        ),
        (
            lambda s: s.update({"layers.0.weight": s["layers.1.weight"]}),
            r"layers.0.weight has shape \(2, 4\), the model wants \(4, 3\)",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_of_it_is_written(pair, checkpoint, change, complaint):
    model, state = mlp(pair), checkpoint.state_dict(mlp(pair, seed=1))
    change(state)
    before = contents(pair, model)
    with pytest.raises(ValueError, match=complaint):
        checkpoint.load_state_dict(model, state)
    assert contents(pair, model) == before
    with pytest.raises(ValueError, match=complaint):
        checkpoint.apply(model, state, pair.array(np.zeros((1, 3))))


def test_apply_uses_the_state_and_leaves_model_and_state_alone(pair, checkpoint):
    model, state = mlp(pair), checkpoint.state_dict(mlp(pair, seed=1))
    before, given = contents(pair, model), {name: bits(pair, value) for name, value in state.items()}
    x = pair.array(np.random.default_rng(2).normal(size=(5, 3)))
    assert bits(pair, checkpoint.apply(model, state, x)) == bits(pair, mlp(pair, seed=1)(x))
    assert bits(pair, checkpoint.apply(model, state, x)) != bits(pair, model(x))
    assert contents(pair, model) == before
    assert {name: bits(pair, value) for name, value in state.items()} == given


def test_apply_in_training_moves_no_running_statistics(pair, checkpoint):
    if pair.name == "torch":
        import torch

        norm = torch.nn.BatchNorm1d(3)
    else:
        from flax import nnx

        norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
    state = checkpoint.state_dict(norm)
    given = {name: bits(pair, value) for name, value in state.items()}
    x = pair.array(np.random.default_rng(2).normal(size=(5, 3)), "float32")  # NNX keeps float32 statistics
    checkpoint.apply(norm, state, x)
    assert {name: bits(pair, value) for name, value in state.items()} == given
    assert contents(pair, norm) == given
    norm(x)
    assert contents(pair, norm) != given, "the layer was not training, and the test had no power"


def test_apply_is_differentiable_in_every_parameter(pair, checkpoint):
    model, state = mlp(pair), checkpoint.state_dict(mlp(pair, seed=1))
    x = pair.array(np.random.default_rng(2).normal(size=(5, 3)))
    if pair.name == "torch":
        import torch

        gradients = torch.func.grad(lambda state: checkpoint.apply(model, state, x).sum())(state)
    else:
        import jax

        gradients = jax.jit(jax.grad(lambda state: checkpoint.apply(model, state, x).sum()))(state)
    assert gradients["layers.1.bias"].tolist() == [5.0, 5.0]
    assert all(bool((gradients[name] != 0).any()) for name in state)


def test_a_layer_whose_layout_is_not_known_is_refused(pair, checkpoint):
    if pair.name == "jax":
        from flax import nnx

        class Model(nnx.Module):
            def __init__(self):
                self.up = nnx.ConvTranspose(2, 3, 5, rngs=nnx.Rngs(0))

        with pytest.raises(
            TypeError, match=r"up.kernel belongs to a ConvTranspose, whose layout in torch is not known"
        ):
            checkpoint.state_dict(Model())
