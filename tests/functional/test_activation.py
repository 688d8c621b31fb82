"""Every activation against torch.nn.functional: values, and slopes at corners, by the verdict rule."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from functional.calls import compared, normal, part

import parity
from jax_impl import functional as J
from jax_impl.functional.gradients import scaled_gradient

# every corner of every activation below, and what lies far out
CORNERS = [-40.0, -6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 6.0, 10.0, 20.0, 20.5, 40.0]
X = np.concatenate([CORNERS, 3 * normal(16)]).reshape(2, 4, 4)
W = np.array([0.25, -0.5, 0.0, 1.5])

ELEMENTWISE = {
    "threshold": lambda F, x, w: F.threshold(x, 0.5, 3.0),
    "relu": lambda F, x, w: F.relu(x),
    "relu6": lambda F, x, w: F.relu6(x),
    "hardtanh": lambda F, x, w: F.hardtanh(x),
    "hardtanh, other ends": lambda F, x, w: F.hardtanh(x, -0.5, 3.0),
    "leaky_relu": lambda F, x, w: F.leaky_relu(x),
    "leaky_relu, slope": lambda F, x, w: F.leaky_relu(x, 0.3),
    "rrelu": lambda F, x, w: F.rrelu(x),
    "elu": lambda F, x, w: F.elu(x),
    "elu, alpha": lambda F, x, w: F.elu(x, 0.5),
    "selu": lambda F, x, w: F.selu(x),
    "celu": lambda F, x, w: F.celu(x),
    "celu, alpha": lambda F, x, w: F.celu(x, 2.0),
    "prelu": lambda F, x, w: F.prelu(x, w),
    "prelu, one": lambda F, x, w: F.prelu(x, w[:1]),
    "sigmoid": lambda F, x, w: F.sigmoid(x),
    "logsigmoid": lambda F, x, w: F.logsigmoid(x),
    "tanh": lambda F, x, w: F.tanh(x),
    "tanhshrink": lambda F, x, w: F.tanhshrink(x),
    "softsign": lambda F, x, w: F.softsign(x),
    "softplus": lambda F, x, w: F.softplus(x),
    "softplus, beta": lambda F, x, w: F.softplus(x, 2.0, 4.0),
    "silu": lambda F, x, w: F.silu(x),
    "hardswish": lambda F, x, w: F.hardswish(x),
    "mish": lambda F, x, w: F.mish(x),
    "gelu": lambda F, x, w: F.gelu(x),
    "gelu, tanh": lambda F, x, w: F.gelu(x, approximate="tanh"),
    "glu": lambda F, x, w: F.glu(x),
    "glu, dim": lambda F, x, w: F.glu(x, 1),
    "hardshrink": lambda F, x, w: F.hardshrink(x),
    "softshrink": lambda F, x, w: F.softshrink(x, 1.0),
    "softmax": lambda F, x, w: F.softmax(x, 1),
    "softmin": lambda F, x, w: F.softmin(x, -1),
    "log_softmax": lambda F, x, w: F.log_softmax(x, 0),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_activations_agree_with_torch_also_at_their_corners(dtype, whole):
    report = compared(part(ELEMENTWISE, whole), X, W, dtypes=(dtype,))
    assert report, str(report)


def elu_by_flax(x, alpha):
    return jnp.where(x > 0, x, alpha * jnp.expm1(x))


def test_the_slope_of_elu_has_all_its_digits_far_to_the_left():
    x = np.linspace(-12.0, -6.0, 9)
    assert compared({"elu": lambda F, x: F.elu(x, 0.5)}, x)
    assert not compared({"elu": lambda F, x: (elu_by_flax if F is J else F.elu)(x, 0.5)}, x)


def test_hardsigmoid_s_slope_is_a_sixth_where_torch_rounds_it_to_float32():
    hardsigmoid = {"hardsigmoid": lambda F, x: F.hardsigmoid(x)}
    assert compared(hardsigmoid, X, gradient=False)
    assert not compared(hardsigmoid, X)
    # the slope that torch has at float64 makes them agree
    a = np.float64(np.float32(1) / np.float32(6)) * 6
    jax_side = lambda x: {"hardsigmoid": scaled_gradient(J.hardsigmoid(x), jnp.asarray(a, x.dtype))}
    assert parity.check(lambda x: {"hardsigmoid": torch.nn.functional.hardsigmoid(x)}, jax_side, X)
