"""Kinks: two valid slopes are a CONVENTION that must be accepted by name; a wrong slope at a kink is a fault."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import parity
from parity import Verdict

pytestmark = pytest.mark.part(2)

X = np.array([-1.0, 0.0, 2.0, 0.0])
TIED = np.array([1.0, 3.0, 3.0, 2.0])
KINKS = {
    "abs at 0": (torch.abs, jnp.abs, X),
    "leaky relu at 0": (F.leaky_relu, jax.nn.leaky_relu, X),
    "hardtanh at its edges": (F.hardtanh, jax.nn.hard_tanh, np.array([-1.0, 0.5, 1.0])),
    "clamp at its edges": (lambda x: x.clamp(-1, 1), lambda x: jnp.clip(x, -1, 1), np.array([-1.0, 0.5, 1.0])),
    "largest of a tie": (lambda x: x.max(0).values, lambda x: x.max(0), TIED),
    "running largest of a tie": (lambda x: torch.cummax(x, 0).values, jax.lax.cummax, TIED),
    "a kink behind a layer": (lambda x: torch.abs(x.sum() * x), lambda x: jnp.abs(x.sum() * x), X),
}


@pytest.mark.parametrize("name", KINKS)
def test_valid_slopes_at_a_kink_are_a_convention_that_is_accepted_by_name_alone(name):
    torch_function, jax_function, x = KINKS[name]
    report = parity.check(torch_function, jax_function, x)
    assert report.verdict is Verdict.CONVENTION
    assert not report
    assert "both are subgradients" in report.first.message
    assert "conventions={'gradient/0': 'why'}" in report.first.message
    accepted = parity.check(torch_function, jax_function, x, conventions={"gradient/0": name})
    assert accepted
    assert f"accepted: {name}" in str(accepted)


@jax.custom_vjp
def wrong_at_zero(x):
    return jnp.abs(x)


wrong_at_zero.defvjp(lambda x: (jnp.abs(x), x), lambda x, g: (g * jnp.where(x == 0, 1.5, jnp.sign(x)),))


@jax.custom_vjp
def wrong_elsewhere(x):
    return jnp.abs(x)


wrong_elsewhere.defvjp(lambda x: (jnp.abs(x), x), lambda x, g: (g * jnp.where(x == 2, 0.5, jnp.sign(x)),))


@pytest.mark.parametrize("jax_function", [wrong_at_zero, wrong_elsewhere])
def test_a_slope_that_is_not_valid_is_a_fault(jax_function):
    report = parity.check(torch.abs, jax_function, X)
    assert report.first.verdict is Verdict.SEMANTIC
    assert report.first.stage == "gradient"


def test_a_kink_does_not_hide_a_fault_of_the_working_dtype_beside_it():
    def jax_function(x):
        return jnp.abs(x) * (1 + 1e-3 * (x.dtype == jnp.float32) * (x == 2))

    report = parity.check(torch.abs, jax_function, X)
    gradient = next(f for f in report.findings if f.stage == "gradient")
    assert gradient.verdict is Verdict.SEMANTIC, "to accept the kink would accept the other difference unseen"


def test_indices_that_differ_where_values_tie_are_a_convention_and_others_a_fault():
    last_of_a_tie = lambda x: x.shape[0] - 1 - jnp.argmax(x[::-1])
    report = parity.check(lambda x: x.argmax(), last_of_a_tie, TIED)
    assert report.verdict is Verdict.CONVENTION
    assert "the values tie there" in report.first.message
    assert parity.check(lambda x: x.argmax(), last_of_a_tie, TIED, conventions={"output": "the last of a tie"})
    untied = TIED + np.array([0.0, 1e-9, 0.0, 0.0])
    assert parity.check(lambda x: x.argmax(), last_of_a_tie, untied, dtypes=("float64",))
    assert parity.check(lambda x: x.argmax(), jnp.argmin, TIED).verdict is Verdict.SEMANTIC


def test_a_nan_at_a_kink_is_a_fault():
    report = parity.check(lambda x: torch.linalg.norm(x), lambda x: jnp.linalg.norm(x), np.zeros(3))
    assert report.verdict is Verdict.SEMANTIC
    assert "NaN only in jax" in report.first.message


def test_an_accepted_convention_that_does_not_occur_is_told():
    report = parity.check(torch.abs, jnp.abs, np.ones(3), conventions={"gradient/0": "abs at 0"})
    assert report.verdict is Verdict.STRUCTURE
    assert "both sides agree here" in report.first.message
