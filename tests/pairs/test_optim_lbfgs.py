"""L-BFGS on each side against torch.optim.LBFGS, by a closure that feeds each step's errors into the next.

The cost is convex and well conditioned, so that these errors do not grow: on Rosenbrock's valley two honest runs part
by 1e-8 within forty iterations in float64.
"""

import numpy as np
import pytest

pytestmark = pytest.mark.part(1)

STEPS = 50
CONFIGURATIONS = (
    {},
    {"lr": 0.01},
    {"lr": 0.001},
    {"tolerance_grad": 1e-6},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "lr": 0.01, "max_iter": 4},
    {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 5, "max_eval": 9},
    {"history_size": 1, "max_iter": 1},
)


def problem():
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    hessian = (q * np.linspace(1.0, 3.0, 10)) @ q.T
    return hessian, {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}


def cost(w, b, hessian, lib):
    """A quadratic bowl with quartic walls."""
    x = lib.concatenate([w.reshape(-1), b])
    return 0.5 * (x @ (hessian @ x)) + 0.05 * (x**4).sum()


def reference(kwargs):
    """The parameters after each step, and torch's state."""
    import torch

    torch.set_num_threads(1)
    hessian, start = problem()
    hessian = torch.tensor(hessian)
    params = {n: torch.tensor(p, requires_grad=True) for n, p in start.items()}
    optimizer = torch.optim.LBFGS(list(params.values()), **kwargs)

    def closure():
        optimizer.zero_grad()
        value = cost(params["w"], params["b"], hessian, torch)
        value.backward()
        return value

    path, costs = [], []
    for _ in range(STEPS):
        costs.append(float(optimizer.step(closure).detach()))
        path.append({n: p.detach().numpy().copy() for n, p in params.items()})
    return path, costs, optimizer.state[params["w"]]


def closure_of(pair):
    hessian, _ = problem()
    hessian = pair.array(hessian)
    if pair.name == "jax":
        import jax

        return jax.jit(jax.value_and_grad(lambda params: cost(params["w"], params["b"], hessian, jax.numpy)))
    import torch

    def closure(params):
        leaves = {n: p.clone().requires_grad_() for n, p in params.items()}
        value = cost(leaves["w"], leaves["b"], hessian, torch)
        return value.detach(), dict(zip(leaves, torch.autograd.grad(value, list(leaves.values())), strict=True))

    return closure


def optimizer_of(pair, kwargs):
    return pair.module("optim").LBFGS({n: pair.array(p) for n, p in problem()[1].items()}, **kwargs)


def largest_gap(pair, kwargs, optimizer=None):
    """How far a side is from torch at any step, and the two states after the last."""
    optimizer, closure = optimizer or optimizer_of(pair, kwargs), closure_of(pair)
    path, costs, state = reference(kwargs)
    worst = 0.0
    for wanted, wanted_cost in zip(path, costs, strict=True):
        got = float(optimizer.step(closure))
        worst = max(worst, abs(got - wanted_cost))
        worst = max([worst, *(np.abs(pair.numpy(optimizer.params[n]) - p).max() for n, p in wanted.items())])
    return worst, optimizer.state, state


@pytest.mark.parametrize("kwargs", CONFIGURATIONS, ids=str)
def test_the_steps_are_torch_s(pair, kwargs):
    gap, state, wanted = largest_gap(pair, kwargs)
    assert gap < 1e-12  # of parameters and a cost of about one
    assert (state.n_iter, state.func_evals) == (wanted["n_iter"], wanted["func_evals"])
    assert len(state.old_dirs) == len(wanted["old_dirs"])


@pytest.mark.parametrize(
    ("kwargs", "fault"),
    [
        ({"history_size": 3, "max_iter": 5}, {"history_size": 2, "max_iter": 5}),
        ({"lr": 0.01}, {"lr": 0.010000001}),
        ({"line_search_fn": "strong_wolfe", "lr": 0.01, "max_iter": 4}, {"lr": 0.01, "max_iter": 4}),
    ],
)
def test_a_hyperparameter_that_is_off_is_seen(pair, kwargs, fault):
    gap, _, _ = largest_gap(pair, kwargs, optimizer_of(pair, fault))
    assert gap > 1e-9


def test_a_first_step_by_the_other_norm_is_seen(pair):
    """optax caps the first step by 1/|g|_2, torch by 1/|g|_1."""
    optimizer = optimizer_of(pair, {"max_iter": 2})
    g = pair.numpy(optimizer._flat(closure_of(pair)(optimizer.params)[1]))
    optimizer.lr *= np.abs(g).sum() / np.sqrt((g**2).sum())
    gap, _, _ = largest_gap(pair, {"max_iter": 2}, optimizer)
    assert gap > 1e-6


def test_a_parameter_without_a_gradient_stays(pair):
    closure = closure_of(pair)
    optimizer = optimizer_of(pair, {})
    before = pair.numpy(optimizer.params["b"]).copy()
    optimizer.step(lambda params: (lambda value, g: (value, {**g, "b": None}))(*closure(params)))
    assert np.array_equal(pair.numpy(optimizer.params["b"]), before)


def test_what_makes_no_sense_is_refused(pair):
    LBFGS = pair.module("optim").LBFGS
    with pytest.raises(ValueError, match="lr is -1"):
        LBFGS({"w": pair.array([1.0])}, lr=-1)
    with pytest.raises(ValueError, match="line_search_fn is 'zoom', wanted None or 'strong_wolfe'"):
        LBFGS({"w": pair.array([1.0])}, line_search_fn="zoom")
    with pytest.raises(ValueError, match=r"w is .*complex128, wanted a real one"):
        LBFGS({"w": pair.array([1.0 + 1j])})
