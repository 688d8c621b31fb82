"""A weight map as compiled code: gradients into torch's layout, updates back; transposes, splits and sums."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from convert.optim.moves import TorchRun, apart, gradients, start

import parity
from parity.convert.optim.places import Places

pytestmark = pytest.mark.part(2)

SHAPES = {"conv.weight": (4, 3, 2, 2), "qkv.weight": (12, 4), "bias_a": (5,), "bias_b": (5,)}


class Map:
    """A convolution in the other layout, a fused weight in two leaves (one of them in heads), two biases in one."""

    def to_jax(self, state):
        state = {name: np.asarray(value) for name, value in state.items()}
        q, kv = state["qkv.weight"][:4], state["qkv.weight"][4:]
        return {
            "conv": {"kernel": state["conv.weight"].transpose(2, 3, 1, 0)},
            "attention": [{"q": q.T}, {"kv": kv.reshape(2, 2, 2, 4).transpose(3, 0, 1, 2)}],
            "bias": state["bias_a"] + state["bias_b"],
        }

    def to_torch(self, tree):
        q, kv = tree["attention"][0]["q"], tree["attention"][1]["kv"]
        return {
            "conv.weight": np.transpose(tree["conv"]["kernel"], (3, 2, 0, 1)),
            "qkv.weight": np.concatenate([np.transpose(q), np.transpose(kv, (1, 2, 3, 0)).reshape(8, 4)]),
            "bias_a": np.asarray(tree["bias"]),
            "bias_b": np.zeros_like(tree["bias"]),
        }


class Transposed(Map):
    """A planted fault: the square part is not turned."""

    def to_torch(self, tree):
        found = super().to_torch(tree)
        return found | {"qkv.weight": np.concatenate([found["qkv.weight"][:4].T, found["qkv.weight"][4:]])}


@pytest.fixture
def places():
    return Places.learn(Map(), SHAPES, SHAPES)


def test_values_go_over_and_back_as_the_map_moves_them(wide, places):
    tree = Map().to_jax(start(SHAPES))
    found, wanted = places.to_torch(tree, "params"), Map().to_torch(tree)
    assert all(np.array_equal(found[name], wanted[name]) for name in SHAPES)
    back = jax.jit(lambda arrays: places.to_jax(arrays, tree))(start(SHAPES))
    assert jax.tree.all(jax.tree.map(np.array_equal, back, tree))


def test_whole_blocks_are_transposes_and_what_is_cut_is_gathered(places):
    assert places.gradients["conv.weight"].index is None
    assert places.gradients["qkv.weight"].index is not None
    assert all(piece.index is None for piece in places.backward.values())


def test_both_parts_of_a_sum_have_its_gradient_and_the_first_its_value(wide, places):
    tree = Map().to_jax(start(SHAPES))
    given = places.to_torch(tree, "gradients", gradients=True)
    assert given["bias_a"].tolist() == given["bias_b"].tolist() == jnp.asarray(tree["bias"]).tolist()
    assert not places.to_torch(tree, "params")["bias_b"].any()


def test_a_gradient_is_none_where_all_of_its_leaves_are(wide, places):
    tree = Map().to_jax(start(SHAPES))
    tree["conv"]["kernel"] = tree["attention"][0]["q"] = None
    given = places.to_torch(tree, "gradients", gradients=True)
    assert given["conv.weight"] is None
    assert not given["qkv.weight"][:4].any()
    assert given["qkv.weight"][4:].all()


def test_a_leaf_that_is_missing_is_named(places):
    tree = Map().to_jax(start(SHAPES))
    del tree["conv"]
    with pytest.raises(ValueError, match=r"the params have no leaf conv.kernel, where torch's conv.weight lies"):
        places.to_torch(tree, "params")


@pytest.mark.filterwarnings("ignore:Adafactor of a leaf that is the sum")  # said by right, and left out below
@pytest.mark.parametrize(("kind", "options"), [("Adafactor", {"lr": 0.01}), ("AdamW", {"lr": 0.01, "amsgrad": True})])
def test_an_optimizer_of_whole_blocks_is_exact_in_another_layout(wide, kind, options):
    arrays = start(SHAPES) | {"bias_b": np.zeros(5)}
    run = TorchRun(lambda p: getattr(torch.optim, kind)(p, **options), arrays)
    tx = parity.optim.from_torch(run.optimizer, Map())
    params = jax.tree.map(jnp.asarray, Map().to_jax(arrays))
    state = tx.init(params)
    compiled = jax.jit(tx.update)
    for step in range(1, 6):
        given = gradients(SHAPES, step)
        given = {name: np.ones(shape) if given[name] is None else given[name] for name, shape in SHAPES.items()}
        given["bias_b"] = given["bias_a"]
        for name, g in given.items():
            run.parameters[name].grad = torch.tensor(g)
        run.optimizer.step()
        tree = Map().to_jax(given | {"bias_b": np.zeros(5)})
        updates, state = compiled(jax.tree.map(jnp.asarray, tree), state, params)
        params = optax.apply_updates(params, updates)
    wanted = run.arrays()
    sums = wanted | {"bias_a": wanted["bias_a"] + wanted["bias_b"]}
    found = Places.learn(Map(), SHAPES, SHAPES).to_torch(params, "params")
    # Adafactor's step follows the parameter's own size, which a sum does not tell apart.
    covered = ("conv.weight", "qkv.weight") if kind == "Adafactor" else ("conv.weight", "qkv.weight", "bias_a")
    assert apart({n: found[n] for n in covered}, {n: sums[n] for n in covered}) <= 1e-12


def test_a_map_that_turns_a_square_one_way_alone_is_refused():
    with pytest.raises(ValueError, match=r"two directions contradict each other in qkv.weight"):
        Places.learn(Transposed(), SHAPES, SHAPES)


def test_what_the_map_does_not_cover_and_nameless_parameters_are_refused():
    with pytest.raises(ValueError, match="does not cover head"):
        Places.learn(Map(), [*SHAPES, "head"], SHAPES | {"head": (2,)})
    with pytest.raises(ValueError, match="this optimizer's parameters have none"):
        parity.optim.from_torch(torch.optim.SGD([torch.nn.Parameter(torch.ones(2))]), Map())


@pytest.mark.filterwarnings("ignore::parity.convert.optim.exactness.InexactWarning")
@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("Adam", {"weight_decay": 0.1}, True),
        ("Adafactor", {}, True),
        ("Adam", {}, False),
        ("AdamW", {"weight_decay": 0.1}, False),
        ("SGD", {"weight_decay": 0.1}, False),
    ],
)
def test_a_sum_whose_parts_the_step_would_have_to_know_is_told(kind, options, told):
    named = [(name, torch.nn.Parameter(torch.ones(shape))) for name, shape in SHAPES.items()]
    translated = parity.optim.from_torch(getattr(torch.optim, kind)(named, **options), Map())
    assert any("sum of two torch parameters" in note for note in translated.notes) == told
    alone = parity.optim.from_torch(getattr(torch.optim, kind)(named, **options))
    assert not any("sum of two" in note for note in alone.notes)
