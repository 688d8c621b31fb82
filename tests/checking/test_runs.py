"""The four runs: what is done where a side has no float64, and captured constants that each side rounded for itself."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import parity
from parity import Verdict
from parity.checking import Task, examine
from parity.sides import NoFloat64, side

pytestmark = pytest.mark.part(2)

X = np.random.default_rng(0).normal(size=(8, 16))


def torch_low_only(x):
    if x.dtype == torch.float64:
        raise NotImplementedError('"fused_exp" not implemented for ' + repr("Double"))
    return torch.exp(x)


class WithoutFloat64:
    """A side whose kernels have no float64."""

    def __init__(self, side):
        self.side, self.framework = side, side.framework

    def run(self, inputs, *, dtype, **options):
        if dtype == "float64":
            raise NoFloat64("fused_exp is not implemented for float64")
        return self.side.run(inputs, dtype=dtype, **options)


def checked(lacking, jax_function=lambda x: jnp.exp(x)):
    sides = [side("torch", lambda x: torch.exp(x)), side("jax", jax_function)]
    low = [WithoutFloat64(s) if s.framework in lacking else s for s in sides]
    return examine(*low, Task("exp", {"x": X}), dtypes=("float32",))


LACKING = [("torch",), ("jax",), ("torch", "jax")]


@pytest.mark.parametrize("lacking", LACKING, ids=" and ".join)
def test_a_side_without_float64_is_named_and_judged_at_the_precision_that_is_left(lacking):
    result = checked(lacking)
    assert result, [f.message for f in result.findings if not f]
    told = " ".join(result.remarks)
    assert "so judged at float32" in told
    for framework in ("torch", "jax"):
        assert (f"{framework} has no float64 here: fused_exp" in told) == (framework in lacking)


@pytest.mark.parametrize("lacking", LACKING, ids=" and ".join)
def test_a_fault_beside_it_is_found(lacking):
    result = checked(lacking, lambda x: jnp.exp(x) * 1.0001)
    assert result.verdict in (Verdict.SEMANTIC, Verdict.PRECISION)


def test_a_torch_kernel_that_refuses_float64_is_such_a_side():
    report = parity.check(torch_low_only, jnp.exp, X)
    assert report
    assert "torch has no float64 here: fused_exp" in " ".join(report.results[0].remarks)


def test_float64_asked_for_and_not_there_is_an_error_that_names_the_operation():
    report = parity.check(torch_low_only, jnp.exp, X, dtypes=("float64",))
    assert report.exit_status == 3
    assert "the torch side has no float64" in report.results[0].error
    assert "fused_exp" in report.results[0].error


def test_both_sides_that_raise_are_both_told():
    def wrong(x):
        raise ValueError("three heads do not divide 16")

    report = parity.check(wrong, wrong, X)
    assert "the torch side raised" in report.results[0].error
    assert "the jax side raised" in report.results[0].error


def table(base):
    return (base ** -np.linspace(0, 1, 16)).astype(np.float32)


def test_a_table_that_each_side_rounded_for_itself_is_one_constant_and_another_base_is_a_fault():
    theirs = torch.from_numpy(table(10_000.0))
    rounded_again = np.nextafter(table(10_000.0), np.float32(2))
    honest, other = jnp.asarray(rounded_again), jnp.asarray(table(10_100.0))
    assert parity.check(lambda x: torch.sin(x * theirs), lambda x: jnp.sin(x * honest), X)
    report = parity.check(lambda x: torch.sin(x * theirs), lambda x: jnp.sin(x * other), X)
    assert report.verdict is Verdict.SEMANTIC
