"""What every optimizer shares: moved hyperparameters, missing gradients, groups, widths; and faults that are seen."""

import importlib

import numpy as np
import pytest
from optim_stream import SHAPES, STEPS, distance, in_jax, reference, run, stream

pytestmark = pytest.mark.part(1)


def stepped(pair, optimizer, gradient, params=None, **moved):
    """The updates and the state after one step of one weight, or of the params given."""
    params = params or {"w": pair.array([1.0])}
    gradients = {"w": None if gradient is None else pair.array(gradient)}
    updates, state = optimizer.update(gradients, optimizer.init(params), params, **moved)
    return pair.numpy(updates["w"]), state


MOVED = [
    ("SGD", {"lr": 0.5}, {}),
    ("SGD", {"momentum": 0.5, "weight_decay": 0.25}, {"momentum": 0.9}),
    ("Adam", {"lr": 0.5, "betas": (0.5, 0.75), "eps": 0.1}, {}),
    ("AdamW", {"weight_decay": 0.5}, {}),
    ("RMSprop", {"alpha": 0.5, "momentum": 0.5}, {"momentum": 0.1}),
    ("Rprop", {"lr": 0.5}, {}),
    ("ASGD", {"lr": 0.5}, {}),
]


@pytest.mark.parametrize(("name", "moved", "made"), MOVED)
def test_a_hyperparameter_that_moved_is_as_one_that_it_was_made_with(pair, name, moved, made):
    make = getattr(pair.module("optim"), name)
    there, _ = stepped(pair, make(**moved), [3.0])
    here, _ = stepped(pair, make(**made), [3.0], **moved)
    unmoved, _ = stepped(pair, make(**made), [3.0])
    assert np.array_equal(here, there)
    assert not np.array_equal(unmoved, there)


def test_an_unknown_hyperparameter_is_refused(pair):
    optimizer = pair.module("optim").SGD()
    with pytest.raises(
        TypeError, match="SGD: update\\(\\) was given momentum, but this optimizer moves only lr, weight"
    ):
        stepped(pair, optimizer, [1.0], momentum=0.9)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adagrad", "ASGD", "Rprop", "Adafactor"])
def test_a_parameter_without_a_gradient_keeps_its_state_to_the_bit(pair, name):
    optimizer = getattr(pair.module("optim"), name)(**({"momentum": 0.9} if name == "SGD" else {}))
    params = {"w": pair.array([1.0, -2.0])}
    _, state = optimizer.update({"w": pair.array([3.0, 0.5])}, optimizer.init(params), params)
    before = [pair.numpy(column["w"]).copy() for column in state if column is not None]
    updates, state = optimizer.update({"w": None}, state, params)
    after = [pair.numpy(column["w"]) for column in state if column is not None]
    assert before
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert np.array_equal(pair.numpy(updates["w"]), [0.0, 0.0])


def test_muon_and_complex_parameters_are_refused_where_torch_refuses_them(pair):
    optim = pair.module("optim")
    with pytest.raises(ValueError, match=r"Muon: a parameter has shape \(2,\), wanted a matrix"):
        optim.Muon().init({"w": pair.array([1.0, 2.0])})
    for name in ("Adafactor", "SparseAdam"):
        with pytest.raises(ValueError, match=f"{name}: .*complex128, wanted a real one"):
            getattr(optim, name)().init({"w": pair.array([1j])})


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999, 0.9999])
def test_bias_corrections_keep_float32_s_precision(pair, beta):
    correction = pair.module("optim").bias_correction
    for t in (1.0, 2.0, 10.0, 1000.0, 1e6):
        exact = -np.expm1(t * np.log(np.float64(beta))) if beta else 1.0
        ours = float(correction(beta, pair.array(t, "float32")))
        naive = float(1 - np.float32(beta) ** np.float32(t))
        assert abs(ours - exact) <= 4 * 2.0**-24 * exact  # a logarithm, a product and an exponential, each rounded
        if beta > 0.99 and t == 1:
            assert abs(naive - exact) > 100 * 2.0**-24 * exact


@pytest.mark.parametrize("name", ["SGD", "AdamW", "NAdam", "RAdam", "RMSprop", "ASGD", "Adafactor"])
@pytest.mark.parametrize("side", ["torch", "jax"])
def test_float32_is_torch_s_to_a_few_roundings_a_step(side, name):
    wanted, _ = reference(name, {}, "float32")
    path, _ = run(side, name, {}, "float32")
    # torch rounds a parameter twice a step (decay, update), ours once, and each update is rounded some times beside:
    # 4 units of roundoff a step, all in one direction
    assert distance(path, wanted) < 4 * STEPS * 2.0**-24


# Faults, each of which the table's comparison must see.


def seen(optimizer, name, kwargs):
    """How far an optax transformation is from torch on the parameters that always have a gradient."""
    from parity.sides import jax_backend

    names = [n for n in SHAPES if n not in ("missing", "phase")]
    wanted, _ = reference(name, kwargs)
    with jax_backend.start().enable_x64(True):
        path, _ = in_jax(optimizer(), names, "float64")
    return distance(path, {n: wanted[n] for n in names})


FAULTS = {
    "eps_inside_the_root": ("Adam", {}, lambda optax, J: optax.adam(1e-3, eps=0.0, eps_root=1e-16)),
    "amsgrad_of_the_corrected_average": (
        "Adam",
        {"amsgrad": True},
        lambda optax, J: optax.amsgrad(1e-3),
    ),
    "a_dampened_first_step": (
        "SGD",
        {"momentum": 0.9, "dampening": 0.5},
        lambda optax, J: optax.chain(optax.scale(0.5), optax.sgd(1e-3, 0.9)),
    ),
    "optax_s_adagrad": ("Adagrad", {}, lambda optax, J: optax.adagrad(1e-2, 0.0, 1e-10)),
    "optax_s_nadam": ("NAdam", {}, lambda optax, J: optax.nadam(2e-3)),
    "optax_s_rprop": ("Rprop", {}, lambda optax, J: optax.rprop(1e-2)),
    "coupled_weight_decay": ("AdamW", {}, lambda optax, J: J.Adam(weight_decay=1e-2)),
    "a_beta_off_by_1e-9": ("RAdam", {}, lambda optax, J: J.RAdam(betas=(0.9 + 1e-9, 0.999))),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault):
    import optax

    import jax_impl.optim

    name, kwargs, make = FAULTS[fault]
    assert seen(lambda: make(optax, jax_impl.optim), name, kwargs) > 1e-11


def test_an_absent_gradient_taken_for_zeros_is_seen():
    wanted, _ = reference("AdamW", {})
    path, _ = run("torch", "AdamW", {})
    assert distance(path, wanted) < 1e-12
    import torch

    import torch_impl.optim

    start, g = stream("float64")
    optimizer, params = torch_impl.optim.AdamW(), {"missing": torch.tensor(start["missing"])}
    state = optimizer.init(params)
    for t in range(5):
        gradient = torch.zeros(5, 2, dtype=torch.float64) if t in (3, 4) else torch.tensor(g["missing"][t])
        updates, state = optimizer.update({"missing": gradient}, state, params)
        params = {"missing": params["missing"] + updates["missing"]}
    assert np.abs(params["missing"].numpy() - wanted["missing"][4]).max() > 1e-6


# What only JAX has: groups by optax.partition, NNX, schedules under one compiled step.


@pytest.fixture
def jax_side():
    from parity.sides import jax_backend

    return jax_backend.start()


def test_groups_by_partition_are_the_groups_apart_and_pass_over_missing_gradients(jax_side):
    import optax

    from jax_impl.optim import SGD, AdamW

    jnp = jax_side.numpy
    params = {"a": jnp.ones(2), "b": jnp.ones(3), "c": jnp.ones(2)}
    both = optax.partition({"fast": AdamW(lr=0.1), "slow": SGD(0.01, 0.9)}, {"a": "fast", "b": "slow", "c": "fast"})
    gradients = {"a": jnp.arange(2.0), "b": jnp.arange(3.0), "c": None}
    state = both.init(params)
    for _ in range(2):
        updates, state = jax_side.jit(both.update)(gradients, state, params)
    alone = AdamW(lr=0.1)
    kept = alone.init({"a": params["a"]})
    for _ in range(2):
        wanted, kept = alone.update({"a": gradients["a"]}, kept, {"a": params["a"]})
    np.testing.assert_allclose(updates["a"], wanted["a"], rtol=1e-6)  # compiled and not: float32's last digits
    assert not updates["c"].any()
    inner = state.inner_states["fast"].inner_state
    assert (float(inner.step["a"]), float(inner.step["c"])) == (2.0, 0.0)
    # pytest.approx: a millionth, which is float32
    assert updates["b"].tolist() == pytest.approx([0.0, -0.019, -0.038])


def test_an_nnx_model_trains_and_one_compiled_step_serves_every_schedule(jax_side):
    import optax
    from flax import nnx

    from jax_impl.optim import Adam

    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    tx, params = Adam(), nnx.state(model, nnx.Param)
    gradients = jax_side.tree.map(jax_side.numpy.ones_like, params)
    traces = []

    @jax_side.jit
    def step(params, state, lr, beta1):
        traces.append(1)
        updates, state = tx.update(gradients, state, params, lr=lr, betas=(beta1, 0.999))
        return optax.apply_updates(params, updates), state

    state, kernels = tx.init(params), []
    for lr, beta1 in ((0.1, 0.95), (0.2, 0.9), (0.0, 0.85)):
        params, state = step(params, state, lr, beta1)
        kernels.append(np.asarray(jax_side.tree.leaves(params)[1]))
    assert len(traces) == 1
    assert not np.array_equal(kernels[0], kernels[1])
    assert np.array_equal(kernels[1], kernels[2])  # lr 0


def test_sixteen_bits_are_stepped_in_float32_as_torch_s_fused_kernels_do(pair):
    optimizer = pair.module("optim").Adam(lr=0.1)
    if pair.name == "torch":
        import torch

        w = torch.tensor([1.0, -3.0], dtype=torch.bfloat16)
    else:
        import jax.numpy as jnp

        w = jnp.asarray([1.0, -3.0], jnp.bfloat16)
    updates, state = optimizer.update({"w": w}, optimizer.init({"w": w}), {"w": w})
    assert "float32" in str(updates["w"].dtype)
    assert "bfloat16" in str(state.exp_avg["w"].dtype)
    assert "float32" in str(state.step["w"].dtype)


def test_a_rounding_of_muon_s_iteration_left_out_is_seen(monkeypatch):
    module = importlib.import_module("jax_impl.optim.muon")
    wanted, _ = reference("Muon", {})
    path, _ = run("jax", "Muon", {})
    assert distance(path, wanted) < 1e-12  # the same bits of bfloat16: matrices this small add up in one order
    monkeypatch.setattr(module, "_rounded", lambda x: x.astype("float32"))
    path, _ = run("jax", "Muon", {})
    assert distance(path, wanted) > 1e-5
