"""The convolution that takes its kernel's gradient tap by tap: of whole numbers, where every way gives the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_impl import functional as F
from jax_impl.functional import _by_taps

rng = np.random.default_rng(0)


def whole(*shape):
    return jnp.asarray(rng.integers(-4, 5, shape), jnp.float32)


CASES = {
    "line": (F.conv1d, whole(5, 16, 9), whole(7, 16, 3), {}),
    "image": (
        F.conv2d,
        whole(2, 17, 8, 9),
        whole(4, 17, 3, 2),
        {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)},
    ),
    "volume": (F.conv3d, whole(1, 16, 4, 5, 4), whole(3, 16, 2, 2, 2), {"stride": (1, 2, 1), "padding": 1}),
}


def derivatives(convolution, x, w):
    """Forwards, backwards, one upon the other, and of many at once."""

    def square(x, w):
        return jnp.sum(convolution(x, w) ** 2)

    both = jax.grad(square, (0, 1))
    moved = (jnp.sign(x), jnp.sign(w))
    return {
        "output": convolution(x, w),
        "forwards": jax.jvp(convolution, (x, w), moved)[1],
        "backwards": both(x, w),
        "of the kernel alone": jax.grad(square, 1)(x, w),
        "forwards upon backwards": jax.jvp(both, (x, w), moved)[1],
        "of many kernels": jax.vmap(both, (None, 0))(x, jnp.stack([w, -w])),
    }


@pytest.mark.parametrize("case", CASES)
def test_every_derivative_is_that_of_the_plain_convolution(case, monkeypatch):
    function, x, w, sizes = CASES[case]
    found = {}
    for least in (10**6, _by_taps.CHANNELS):
        monkeypatch.setattr(_by_taps, "CHANNELS", least)

        def convolution(x, w):
            return function(x, w, **sizes)

        program = str(jax.make_jaxpr(jax.grad(lambda w, f=convolution: f(x, w).sum()))(w))
        assert ("dot_general" in program) == (least < 10**6)  # both ways are taken
        found[least] = jax.jit(derivatives, static_argnums=0)(convolution, x, w)
    plain, product = found.values()
    jax.tree.map_with_path(lambda path, a, b: np.testing.assert_array_equal(a, b, str(path)), plain, product)


def test_going_back_keeps_the_image_once_and_not_for_each_tap():
    function, x, w, sizes = CASES["image"]
    kept = jax.tree.leaves(jax.vjp(lambda w: function(x, w, **sizes), w)[1])
    assert sum(leaf.size for leaf in kept if leaf.ndim == x.ndim) <= x.size + w.size


@pytest.mark.parametrize(
    ("shape", "kernel", "groups", "dtype"),
    [
        ((5, 8, 9), (7, 8, 3), 1, "float32"),
        ((5, 16, 17), (7, 16, 11), 1, "float32"),
        ((1, 16, 9), (7, 16, 3), 1, "float32"),
        ((5, 32, 9), (8, 16, 3), 2, "float32"),
        ((5, 16, 9), (7, 16, 3), 1, "bfloat16"),
        ((64, 16, 1026), (7, 16, 3), 1, "float32"),
    ],
    ids=["few channels", "many taps", "few places", "groups", "narrow", "large"],
)
def test_elsewhere_the_kernel_s_gradient_is_a_convolution(shape, kernel, groups, dtype):
    x, w = (jax.ShapeDtypeStruct(s, dtype) for s in (shape, kernel))
    program = jax.make_jaxpr(jax.grad(lambda w, x: F.conv1d(x, w, groups=groups).sum()))(w, x)
    assert "dot_general" not in str(program)


def test_an_empty_batch_has_an_empty_output_and_no_gradient():
    x, w = whole(0, 16, 9), whole(7, 16, 3)
    y, pull_back = jax.vjp(F.conv1d, x, w)
    assert y.shape == (0, 7, 7)
    assert not np.any(pull_back(y)[1])
