"""Inputs and tensors that cannot show a fault are said to be so."""

import jax
import jax.numpy as jnp
import numpy as np
import torch

import parity

X = np.random.default_rng(0).normal(size=(4, 8))


def remarks(*arguments, **options):
    report = parity.check(*arguments, **options)
    assert report
    return " | ".join(report.results[0].remarks)


def test_constant_inputs_are_named_with_what_they_hide():
    told = remarks(lambda x, b, s: (x + b) * s, lambda x, b, s: (x + b) * s, X, np.zeros(8), np.ones(8))
    assert "input 1: 0 everywhere, so no factor, layout or order of it can show" in told
    assert "input 2: 1 everywhere, so no layout or order of it can show" in told
    assert "input 0" not in told


def test_an_input_on_which_nothing_depends_is_named():
    told = remarks(lambda x, w: x * 2, lambda x, w: x * 2, X, X + 1)
    assert "input 1: no output depends on it, on either side" in told


def test_a_gradient_that_is_zero_but_for_rounding_is_no_finding_and_is_named():
    bias = np.random.default_rng(1).normal(size=4)
    told = remarks(
        lambda x, b: torch.softmax(x + b[:, None], -1), lambda x, b: jax.nn.softmax(x + b[:, None], -1), X, bias
    )
    assert "gradient of 1: zero but for rounding on both sides: no fault in it can show" in told


def test_what_has_power_is_told_with_the_smallest_error_found():
    report = parity.check(torch.exp, jax.numpy.exp, X)
    assert report.results[0].remarks == ()
    assert all(f.power < 1e-13 for f in report.findings if f.errors64)
    assert "power: errors of" in str(report)


def in_float32(x):
    """A callback to the host, which nothing can lift."""
    shape = jax.ShapeDtypeStruct(x.shape, jnp.float32)
    return jax.pure_callback(lambda v: np.exp(np.asarray(v)), shape, x.astype(jnp.float32))


def test_code_without_float64_is_named_with_its_line_and_judged_by_what_is_left():
    told = remarks(torch.exp, in_float32, X, gradient=False)
    assert "no float64 reference for forward of output, so judged at float32: jax: " in told
    assert "test_power.py" in told
    report = parity.check(torch.exp, lambda x: in_float32(x) * 1.001, X, gradient=False)
    assert report.verdict is parity.Verdict.SEMANTIC
