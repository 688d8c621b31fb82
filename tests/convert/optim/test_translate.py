"""A live torch optimizer in JAX: each class, its state in both directions, groups, ties, and what is refused."""

import warnings
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from convert.optim.moves import OPTIMIZERS, TorchRun, apart, gradients, jax_steps, same, shapes_of, start

import parity

pytestmark = [pytest.mark.filterwarnings("ignore::parity.convert.optim.exactness.InexactWarning"), pytest.mark.part(2)]
LIMIT = 1e-12  # of the parameters' size at float64: the issue's


def maker(name):
    kind, options = OPTIMIZERS[name]
    return lambda parameters: getattr(torch.optim, kind)(parameters, **options)


def jax_params(run):
    return {name: jnp.array(array) for name, array in run.arrays().items()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_that_goes_over_and_back_is_the_unbroken_one(wide, name):
    shapes = shapes_of(OPTIMIZERS[name][0])
    unbroken = TorchRun(maker(name), start(shapes)).steps(0, 30)
    first = TorchRun(maker(name), start(shapes)).steps(0, 10)
    tx = parity.optim.from_torch(first.optimizer)
    params, state = jax_steps(tx, jax_params(first), tx.init(jax_params(first)), 10, 20)
    last = TorchRun(maker(name), start(shapes, seed=1))
    last.put(params)
    last.optimizer.load_state_dict(tx.state_dict(state))
    assert apart(last.steps(20, 30).arrays(), unbroken.arrays()) <= LIMIT


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_goes_over_and_back_bit_for_bit(wide, name):
    run = TorchRun(maker(name), start(shapes_of(OPTIMIZERS[name][0]))).steps(0, 4)
    tx = parity.optim.from_torch(run.optimizer)
    theirs = run.optimizer.state_dict()
    state = tx.init(jax_params(run))
    assert same(tx.state_dict(state), theirs)
    assert jax.tree.all(jax.tree.map(np.array_equal, tx.load_state(theirs), state))


def without_its_state(tx, params):
    return type(tx)(replace(tx.record, state={})).init(params)


def one_step_ahead(tx, params):
    state = tx.init(params)
    return state._replace(groups=tuple(g._replace(step=jax.tree.map(lambda t: t + 1, g.step)) for g in state.groups))


def with_a_transposed_moment(tx, params):
    state = tx.init(params)
    turned = {n: m.T if n == "square" else m for n, m in state.groups[0].exp_avg.items()}
    return state._replace(groups=(state.groups[0]._replace(exp_avg=turned),))


@pytest.mark.parametrize("fault", [None, without_its_state, one_step_ahead, with_a_transposed_moment])
def test_a_fault_of_the_move_is_seen(wide, fault):
    shapes = {"square": (3, 3), "bias": (3,)}
    make = lambda parameters: torch.optim.AdamW(parameters, lr=0.01)
    unbroken = TorchRun(make, start(shapes)).steps(0, 20)
    first = TorchRun(make, start(shapes)).steps(0, 10)
    tx = parity.optim.from_torch(first.optimizer)
    params = jax_params(first)
    params, _ = jax_steps(tx, params, fault(tx, params) if fault else tx.init(params), 10, 20)
    assert (apart(params, unbroken.arrays()) > 1e-5) is (fault is not None)


def test_param_groups_have_their_own_hyperparameters(wide):
    def make(parameters):
        first, *rest = parameters
        return torch.optim.AdamW(
            [{"params": [first], "lr": 0.1, "amsgrad": True}, {"params": rest, "weight_decay": 0.5, "maximize": True}]
        )

    arrays = start(shapes_of("AdamW"))
    unbroken, first = TorchRun(make, arrays).steps(0, 20), TorchRun(make, arrays).steps(0, 10)
    tx = parity.optim.from_torch(first.optimizer)
    params, state = jax_steps(tx, jax_params(first), tx.init(jax_params(first)), 10, 20)
    assert apart(params, unbroken.arrays()) <= LIMIT
    assert state.groups[0].max_exp_avg_sq is not None
    assert state.groups[1].max_exp_avg_sq is None
    unbroken.optimizer.load_state_dict(tx.state_dict(state))


def test_a_parameter_without_a_gradient_is_left_wholly_alone():
    weights = [("seen", torch.nn.Parameter(torch.ones(2))), ("unseen", torch.nn.Parameter(torch.ones(2)))]
    tx = parity.optim.from_torch(torch.optim.AdamW(weights, lr=0.1, weight_decay=0.5))
    params = {"seen": jnp.ones(2), "unseen": jnp.ones(2)}
    updates, state = tx.update({"seen": jnp.ones(2), "unseen": None}, tx.init(params), params)
    assert optax.apply_updates(params, updates)["unseen"].tolist() == [1.0, 1.0]
    assert list(tx.state_dict(state)["state"]) == [0]


@pytest.mark.parametrize("kind", ["SGD", "Muon"])
def test_a_momentum_that_never_began_is_no_slot(kind):
    """These rules count no steps: whether torch has a buffer is kept beside."""
    make = {"SGD": lambda p: torch.optim.SGD(p, momentum=0.9), "Muon": torch.optim.Muon}[kind]
    weights = [(name, torch.nn.Parameter(torch.ones(2, 2))) for name in ("seen", "unseen")]
    tx = parity.optim.from_torch(make(weights))
    params = {name: jnp.ones((2, 2)) for name in ("seen", "unseen")}
    _, state = tx.update({"seen": jnp.zeros((2, 2)), "unseen": None}, tx.init(params), params)
    assert list(tx.state_dict(state)["state"]) == [0]


def test_names_come_from_the_model_then_the_optimizer_then_the_numbers():
    model = torch.nn.Linear(2, 1)
    by_number, named = torch.optim.SGD(model.parameters()), torch.optim.SGD([("w", model.weight), ("b", model.bias)])
    assert parity.optim.from_torch(by_number).record.names == ("0", "1")
    assert parity.optim.from_torch(named).record.names == ("w", "b")
    assert parity.optim.from_torch(named, model=model).record.names == ("weight", "bias")


def test_tied_weights_are_one_parameter():
    model = torch.nn.ModuleDict({"emb": torch.nn.Embedding(4, 2), "out": torch.nn.Linear(2, 4, bias=False)})
    model["out"].weight = model["emb"].weight
    tx = parity.optim.from_torch(torch.optim.Adam(model.parameters()), model=model)
    assert tx.record.names == ("emb.weight",)
    assert tx.whole.ties == {"out.weight": "emb.weight"}


def test_hyperparameters_may_be_tensors():
    weight = torch.nn.Parameter(torch.ones(2))
    tx = parity.optim.from_torch(torch.optim.Adam([("w", weight)], lr=torch.tensor(0.5), betas=(0.0, 0.0), eps=0.0))
    params = {"w": jnp.ones(2)}
    updates, state = tx.update({"w": jnp.full(2, 3.0)}, tx.init(params), params)
    assert updates["w"].tolist() == [-0.5, -0.5]
    assert isinstance(tx.state_dict(state)["param_groups"][0]["lr"], torch.Tensor)


def test_it_is_an_optax_transformation_that_chains():
    weight = torch.nn.Parameter(torch.ones(2))
    tx = optax.chain(optax.clip(1.0), parity.optim.from_torch(torch.optim.SGD([("w", weight)], lr=0.5)))
    params = {"w": jnp.ones(2)}
    updates, _ = tx.update({"w": jnp.full(2, 9.0)}, tx.init(params), params, lr=0.25)
    assert updates["w"].tolist() == [-0.25, -0.25]


class Own(torch.optim.SGD):
    """A subclass, whose step may be anything."""


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda m: Own(m.parameters()), TypeError, "test_translate.Own cannot be translated: its step may be anything"),
        (lambda m: torch.optim.SGD([*m.parameters(), torch.nn.Parameter(torch.ones(7))]), ValueError, r"\(7,\)"),
    ],
)
def test_what_cannot_be_translated_is_refused_with_the_reason(make, error, told):
    model = torch.nn.Linear(2, 1)
    with pytest.raises(error, match=told):
        parity.optim.from_torch(make(model), model=model)


def test_a_parameter_that_is_stepped_twice_is_refused():
    weight = torch.nn.Parameter(torch.ones(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of the same thing
        optimizer = torch.optim.SGD([weight, weight])
    with pytest.raises(ValueError, match="appears twice"):
        parity.optim.from_torch(optimizer)


def test_a_hyperparameter_of_a_newer_torch_is_refused():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))])
    optimizer.defaults["cautious"] = optimizer.param_groups[0]["cautious"] = True
    with pytest.raises(ValueError, match="SGD has cautious, which"):
        parity.optim.from_torch(optimizer)


def test_params_and_gradients_of_other_names_shapes_or_dtypes_are_refused():
    run = TorchRun(torch.optim.Adam, {"w": np.ones(2)}, "float32").steps(1, 2)
    tx = parity.optim.from_torch(run.optimizer)
    params = {"w": jnp.ones(2)}
    with pytest.raises(ValueError, match="the params are v, wanted a dict of the optimizer's parameters, w"):
        tx.init({"v": jnp.ones(2)})
    with pytest.raises(ValueError, match=r"torch's w is float32 \(2,\), the params hold float32 \(3,\)"):
        tx.init({"w": jnp.ones(3)})
    with pytest.raises(ValueError, match="the params hold bfloat16"):
        tx.init({"w": jnp.ones(2, jnp.bfloat16)})
    with pytest.raises(ValueError, match="has the gradient None"):
        tx.update({}, tx.init(params), params)
    with pytest.raises(ValueError, match="needs the params"):
        tx.update({"w": None}, tx.init(params))


def test_a_float64_state_is_not_rounded_silently():
    run = TorchRun(torch.optim.Adam, {"w": np.ones(2)}).steps(1, 2)
    with pytest.raises(ValueError, match="float64, which JAX would round; call inside"):
        parity.optim.from_torch(run.optimizer).load_state(run.optimizer.state_dict())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["param_groups"][0].update(lr=0.5), r"lr = 0.5 in the param group 0, this optimizer 0.001"),
        (lambda d: d["param_groups"].append(d["param_groups"][0]), r"groups of \[2, 2\] parameters, this optimizer of"),
        (lambda d: d["state"][0].pop("exp_avg"), r"has the slots \['exp_avg_sq', 'step'\], Adam here has"),
        (
            lambda d: d["state"][0].update(exp_avg=torch.ones(3)),
            r"exp_avg of a is \(3,\), wanted a tensor of the shape",
        ),
        (lambda d: d["param_groups"][0].update(param_names=["b", "a"]), r"param_names = \['b', 'a'\]"),
    ],
)
def test_the_state_of_another_optimizer_is_refused(change, told):
    run = TorchRun(torch.optim.Adam, {"a": np.ones(2), "b": np.ones(2)}, "float32").steps(1, 2)
    state_dict = run.optimizer.state_dict()
    change(state_dict)
    with pytest.raises(ValueError, match=told):
        parity.optim.from_torch(run.optimizer).load_state(state_dict)


def test_what_is_not_exact_is_told():
    bf16 = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    weight = torch.nn.Parameter(torch.ones(2, 2))
    for optimizer, told in (
        (torch.optim.Adam([bf16]), "bfloat16 parameters"),
        (torch.optim.Adam([weight], fused=True), "fused=True"),
        (torch.optim.Muon([weight]), "Newton-Schulz"),
    ):
        with pytest.warns(parity.optim.InexactWarning, match=told):
            notes = parity.optim.from_torch(optimizer).notes
        assert len(notes) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parity.optim.from_torch(torch.optim.Adam([weight], foreach=True)).notes == ()


def test_gradients_of_the_moves_hold_zeros_and_a_missing_one():
    shapes = shapes_of("Adam")
    assert gradients(shapes, 3)["scale"] is None
    assert not gradients(shapes, 3)["conv.weight"][0].any()
