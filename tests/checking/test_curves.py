"""Training curves through `examine`: honest training agrees, each subtle optimizer fault is told, with its step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from parity.checking import Task, examine
from parity.checking.curves import before_parting, teacher_forced, training_curves
from parity.checking.runs import Runs
from parity.numerics import Verdict
from parity.sides import side

pytestmark = pytest.mark.part(2)

RNG = np.random.default_rng(0)
START = {"w": RNG.normal(size=5), "m": np.zeros(5), "v": np.zeros(5), "step": np.array(0.0)}
INPUTS = {"state": START, "X": RNG.normal(size=(40, 8, 5)), "y": RNG.normal(size=(40, 8)), "order": np.arange(40)}


def torch_adam(state, X, y, order, eps=1e-8, beta2=0.999):
    losses = []
    w, m, v, step = (state[k] for k in ("w", "m", "v", "step"))
    for i in order:
        error = X[i] @ w - y[i]
        losses.append((error * error).mean())
        gradient = 2 * X[i].T @ error / len(error)
        step = step + 1
        m = 0.9 * m + 0.1 * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        w = w - 0.05 * (m / (1 - 0.9**step)) / (torch.sqrt(v / (1 - beta2**step)) + eps)
    return {"state": {"w": w, "m": m, "v": v, "step": step}, "losses": torch.stack(losses)}


def jax_adam(eps=1e-8, beta2=0.999, inside=False):
    def train(state, X, y, order):
        def one(state, i):
            error = X[i] @ state["w"] - y[i]
            gradient = 2 * X[i].T @ error / len(error)
            step = state["step"] + 1
            m = 0.9 * state["m"] + 0.1 * gradient
            v = beta2 * state["v"] + (1 - beta2) * gradient**2
            root = v / (1 - beta2**step)
            scale = jnp.sqrt(root + eps) if inside else jnp.sqrt(root) + eps
            w = state["w"] - 0.05 * (m / (1 - 0.9**step)) / scale
            return {"w": w, "m": m, "v": v, "step": step}, (error * error).mean()

        state, losses = jax.lax.scan(one, state, order)
        return {"state": state, "losses": losses}

    return train


def result(jax_function, **options):
    task = Task("adam", INPUTS, stage="curve", wrt=(), carry=("state",), **options)
    return examine(side("torch", torch_adam), side("jax", jax_function), task, dtypes=("float64", "float32"))


def test_honest_training_agrees_in_single_steps_and_over_the_whole_curve():
    found = result(jax_adam())
    assert found, str(found.findings)
    assert found.stages == {"structure": Verdict.AGREE, "update": Verdict.AGREE, "curve": Verdict.AGREE}
    assert {f.step for f in found.findings if f.stage == "update"} == {0, 10}
    assert found.curves[0].horizon == 40


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        ({"eps": 1.001e-8}, 1),
        ({"beta2": 0.999 + 1e-9}, 2),  # the bias correction hides it in the first step
        ({"inside": True}, 1),
    ],
)
def test_a_fault_of_the_optimizer_that_float32_cannot_see_is_found_with_its_step(fault, step):
    found = result(jax_adam(**fault))
    assert found.stages["curve"] is Verdict.SEMANTIC
    assert next(f for f in found.findings if f.stage == "curve" and not f).step == step
    assert found.stages["update"] is Verdict.SEMANTIC


def torch_scheduled(state, X, y, order, rate):
    losses, norms = [], []
    for i in order:
        error = X[i] @ state["w"] - y[i]
        gradient = 2 * X[i].T @ error / len(error)
        losses.append((error * error).mean())
        norms.append(gradient.norm())
        state = {"w": state["w"] - rate * gradient, "n": state["n"] + 1}
    return {"state": state, "losses": torch.stack(losses), "norms": torch.stack(norms), "orders": order}


def jax_scheduled(late):
    """The same, but that the rate is one part in a million off at one step."""

    def train(state, X, y, order, rate):
        def one(state, i):
            error = X[i] @ state["w"] - y[i]
            gradient = 2 * X[i].T @ error / len(error)
            w = state["w"] - rate * jnp.where(state["n"] == late, 1 + 1e-6, 1.0) * gradient
            return {"w": w, "n": state["n"] + 1}, ((error * error).mean(), jnp.linalg.norm(gradient))

        state, (losses, norms) = jax.lax.scan(one, state, order)
        return {"state": state, "losses": losses, "norms": norms, "orders": order}

    return train


def scheduled(late):
    inputs = {"state": {"w": START["w"], "n": np.array(0)}, "rate": 0.05} | {k: INPUTS[k] for k in ("X", "y", "order")}
    task = Task("schedule", inputs, stage="curve", wrt=(), carry=("state",))
    sides = side("torch", torch_scheduled), side("jax", jax_scheduled(late))
    return sides, task, Runs.of(*sides, task, dtype="float32", device="cpu")


def test_curves_that_part_say_which_parted_first_and_the_step_before_is_asked_what_did_it():
    (torch_side, jax_side), task, runs = scheduled(late=23)
    found, *_ = training_curves(jax_side, task, runs, list(runs.torch64.tensors), "cpu")
    parted = {f.torch_path: f for f in found if not f}
    assert {parted["losses"].step, parted["norms"].step} == {24}
    assert parted["losses"].note.startswith("first to part, at step 24: losses, norms; equal until then: orders")
    assert before_parting(found) == (23,)
    # steps 0 and 10 agree; the one before the parting names the tensor
    updates = teacher_forced(torch_side, jax_side, task, runs, "cpu", also=before_parting(found))
    assert [(f.step, f.torch_path) for f in updates if not f] == [(23, "state.w")]
    assert all(teacher_forced(torch_side, jax_side, task, runs, "cpu"))


def test_honest_curves_ask_for_no_further_step():
    (_, jax_side), task, runs = scheduled(late=-1)
    found, *_ = training_curves(jax_side, task, runs, list(runs.torch64.tensors), "cpu")
    assert all(found)
    assert before_parting(found) == ()


def test_an_element_of_the_end_that_cancels_is_measured_against_its_tensor():
    def torch_train(state, steps):
        return {"state": state, "x": state.sum() * torch.ones(steps, dtype=state.dtype)}

    def jax_train(moved):
        return lambda state, steps: {"state": state + jnp.asarray(moved), "x": state.sum() * jnp.ones(steps)}

    def end(moved):
        task = Task("end", {"state": np.array([1.0, 1e-10]), "steps": 3}, stage="curve", wrt=(), carry=("state",))
        sides = side("torch", torch_train), side("jax", jax_train(moved))
        runs = Runs.of(*sides, task, dtype="float32", device="cpu")
        found, *_ = training_curves(sides[1], task, runs, list(runs.torch64.tensors), "cpu")
        return next(f for f in found if f.torch_path == "state")

    assert end([0.0, 1e-17]).verdict is Verdict.AGREE  # 1e-7 of the small element, a rounding of the large one
    assert end([0.0, 1e-12]).verdict is Verdict.SEMANTIC
    assert end([1e-12, 0.0]).verdict is Verdict.SEMANTIC


def test_without_single_steps_the_curve_alone_tells():
    found = result(jax_adam(eps=1.001e-8), forced=False)
    assert "update" not in found.stages
    assert found.stages["curve"] is Verdict.SEMANTIC


def test_a_curve_starts_from_the_numbers_that_were_given_not_from_rounded_ones():
    found = result(jax_adam())
    with torch.no_grad():
        exact = torch_adam(*(jax.tree.map(torch.tensor, INPUTS[k]) for k in ("state", "X", "y", "order")))
    assert np.array_equal(found.curves[0].torch64, exact["losses"].numpy())


def test_what_a_chaotic_run_ends_in_is_said_not_to_be_compared():
    def torch_map(state, steps):
        values = []
        for _ in range(steps):
            state = 3.99 * state * (1 - state)
            values.append(state)
        return {"state": state, "x": torch.stack(values)}

    def jax_map(state, steps):
        def one(x, _):
            x = 3.99 * (x - x * x)
            return x, x

        state, values = jax.lax.scan(one, state, length=steps)
        return {"state": state, "x": values}

    task = Task("map", {"state": np.array(0.3), "steps": 200}, stage="curve", wrt=(), carry=("state",))
    found = examine(side("torch", torch_map), side("jax", jax_map), task, dtypes=("float64", "float32"))
    assert found, str(found.findings)
    curve, end = (f for f in found.findings if f.stage == "curve")
    assert 10 < curve.horizon < 60  # a Lyapunov exponent near ln 2 uses up 2^-53 to 2^-20 in some thirty steps
    assert not end.compared
    assert "rounding alone decides it" in end.message
