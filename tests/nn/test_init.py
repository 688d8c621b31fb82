"""Initial values: the same distributions as torch.nn.init, by moments, bounds and the Kolmogorov-Smirnov test."""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from scipy import stats

from jax_impl import nn
from jax_impl.nn import Parameter, _draws, init

SHAPE = (128, 256)
ROWS = {
    "uniform": ("uniform_", (-0.5, 2.0)),
    "normal": ("normal_", (1.0, 3.0)),
    "trunc_normal": ("trunc_normal_", (0.5, 1.0, -0.5, 1.0)),
    "trunc_normal in a tail": ("trunc_normal_", (0.0, 1.0, 2.0, 3.0)),
    "xavier_uniform": ("xavier_uniform_", (2.0,)),
    "xavier_normal": ("xavier_normal_", (2.0,)),
    "kaiming_uniform": ("kaiming_uniform_", (0.3,)),
    "kaiming_uniform fan_out relu": ("kaiming_uniform_", (0, "fan_out", "relu")),
    "kaiming_normal": ("kaiming_normal_", (0.3, "fan_in", "leaky_relu")),
    "orthogonal": ("orthogonal_", (1.5,)),
    "sparse": ("sparse_", (0.1, 0.5)),
}
ALARM = 1e-6
"""How often a test may fail where the distributions are the same; seeds are fixed, so it fails always or never."""


def drawn(name, args, shape=SHAPE):
    torch.manual_seed(0)
    theirs = getattr(torch.nn.init, name)(torch.empty(shape), *args).numpy()
    parameter = Parameter(jnp.zeros(shape, jnp.float32))
    given = getattr(init, name)(parameter, *args, generator=nnx.Rngs(0))
    assert given is parameter
    assert parameter[...].dtype == jnp.float32
    return theirs, np.asarray(parameter[...])


def same(theirs, ours):
    """Whether two samples may come of one distribution: mean, spread and the whole of it."""
    n, spread = theirs.size, theirs.std()
    return (
        stats.ks_2samp(theirs.ravel(), ours.ravel()).pvalue > ALARM
        and abs(theirs.mean() - ours.mean()) < 7 * spread * (2 / n) ** 0.5  # 7: five in a million million
        and abs(ours.std() / spread - 1) < 0.05
    )


@pytest.mark.parametrize("row", ROWS)
def test_a_distribution_is_torch_s(row):
    theirs, ours = drawn(*ROWS[row])
    assert same(theirs, ours)
    width = np.ptp(theirs)
    if "uniform" in row or "trunc" in row:  # a bound is reached by both, to a thousandth of the width
        assert abs(theirs.min() - ours.min()) < 1e-3 * width
        assert abs(theirs.max() - ours.max()) < 1e-3 * width


def test_a_distribution_that_is_wider_by_a_twentieth_is_seen():
    theirs, ours = drawn("uniform_", (-1.0, 1.0))
    assert same(theirs, ours)
    assert not same(theirs, ours * 1.05)


@pytest.mark.parametrize(
    ("name", "shape", "args"),
    [
        ("constant_", (3, 4), (0.3,)),
        ("ones_", (3,), ()),
        ("zeros_", (3,), ()),
        ("eye_", (3, 5), ()),
        ("dirac_", (4, 3, 5), ()),
        ("dirac_", (6, 2, 3, 4), (3,)),
        ("dirac_", (2, 4, 2, 3, 2), ()),
    ],
)
def test_what_is_not_random_is_torch_s(name, shape, args):
    theirs = getattr(torch.nn.init, name)(torch.full(shape, 7.0), *args).numpy()
    assert np.array_equal(theirs, np.asarray(getattr(init, name)(jnp.full(shape, 7.0), *args)))


@pytest.mark.parametrize("name", [name for name in torch.nn.init.__all__ if f"{name}_" in torch.nn.init.__all__])
def test_an_old_name_without_its_underscore_does_the_same_and_says_so(name):
    args = {"constant": (0.3,), "sparse": (0.5,)}.get(name, ())
    tensor = jnp.ones((3, 3, 3) if name == "dirac" else (3, 3))
    given = {} if name in ("constant", "eye", "dirac") else {"generator": jax.random.key(0)}
    with pytest.warns(FutureWarning) as told:
        found = getattr(init, name)(tensor, *args, **given)
    assert jnp.array_equal(found, getattr(init, f"{name}_")(tensor, *args, **given))
    with pytest.warns(FutureWarning) as theirs:
        getattr(torch.nn.init, name)(torch.ones(tensor.shape), *args)
    assert str(told[0].message) == str(theirs[0].message)


def test_rows_or_columns_are_orthonormal_and_each_column_has_its_zeros():
    for shape in ((4, 3, 5), (20, 4)):
        w = np.asarray(init.orthogonal_(jnp.zeros(shape), 2.0, generator=jax.random.key(0))).reshape(shape[0], -1)
        gram = w @ w.T if w.shape[0] < w.shape[1] else w.T @ w
        assert np.abs(gram - 4 * np.eye(len(gram))).max() < 64 * np.finfo(np.float32).eps
    _, ours = drawn("sparse_", (0.1, 0.5))
    assert (ours == 0).sum(axis=0).tolist() == [13] * 256


@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_a_gain_is_torch_s(name):
    assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.2) == torch.nn.init.calculate_gain("leaky_relu", 0.2)


@pytest.mark.parametrize(
    ("name", "shape", "args"),
    [
        ("eye_", (3,), ()),
        ("dirac_", (3, 3), ()),
        ("dirac_", (3, 3, 3), (2,)),
        ("xavier_uniform_", (3,), ()),
        ("kaiming_normal_", (3, 3), (0, "fan_sideways")),
        ("kaiming_normal_", (3, 3), (0, "fan_in", "swish")),
        ("orthogonal_", (3,), ()),
        ("sparse_", (3,), (0.1,)),
        ("calculate_gain", None, ("swish",)),
    ],
)
def test_what_torch_refuses_is_refused(name, shape, args):
    theirs = () if shape is None else (torch.empty(shape),)
    ours = () if shape is None else (jnp.zeros(shape),)
    with pytest.raises(ValueError):
        getattr(torch.nn.init, name)(*theirs, *args)
    with pytest.raises(ValueError):
        getattr(init, name)(*ours, *args)


def starts(key):
    """Draws of less than a piece and of more than two, and of none."""
    fills = (partial(init.uniform_, a=-1.0, b=2.0), partial(init.normal_, std=3.0), partial(init.trunc_normal_, a=-1.0))
    return [fill(jnp.zeros(shape), generator=key) for fill in fills for shape in ((), (5, 7), (2, 9001), (3, 0))]


def test_draws_are_number_for_number_those_of_a_compiled_function_and_no_shape_is_compiled():
    key = jax.random.key(3)
    compiled, closed_over, eager = jax.jit(starts)(key), jax.jit(lambda: starts(key))(), starts(key)
    rounding = 4 * np.finfo(np.float32).eps  # XLA may fuse the distribution's arithmetic otherwise
    for place in range(len(eager)):
        assert np.allclose(eager[place], compiled[place], rtol=rounding, atol=rounding)
        assert np.allclose(eager[place], closed_over[place], rtol=rounding, atol=rounding)
    plain = jax.random.uniform(key, (2, 9001))
    assert np.array_equal(init.uniform_(jnp.zeros((2, 9001)), generator=key), plain)
    assert not np.allclose(starts(jax.random.key(4))[2], eager[2], rtol=1e-3)
    programs = _draws._piece._cache_size()
    init.uniform_(jnp.zeros((11, 13)), -0.5, 0.5, generator=key)
    assert _draws._piece._cache_size() == programs
    other = init.uniform_(jnp.zeros(3), generator=jax.random.key(0, impl="rbg"))  # no threefry: in one call
    assert np.array_equal(other, jax.random.uniform(jax.random.key(0, impl="rbg"), 3))


def test_there_is_no_global_generator():
    with pytest.raises(ValueError, match=r"generator=rngs"):
        init.uniform_(jnp.zeros(3))


LAYERS = {
    "Linear": (64, 512),
    "Bilinear": (16, 24, 32),
    "Conv1d": (32, 64, 5),
    "Conv2d": (32, 64, 3),
    "ConvTranspose2d": (48, 24, 3),
    "Embedding": (128, 32),
    "LSTM": (24, 48),
    "GRUCell": (48, 64),
    "MultiheadAttention": (64, 4),
    "TransformerEncoderLayer": (64, 4, 128),
    "PReLU": (3,),
    "BatchNorm2d": (8,),
    "GroupNorm": (2, 8),
}


def starts_alike(name, changed=lambda value: value):
    """Whether every parameter starts in torch's distribution, and the parameters that are no draws as torch's."""
    torch.manual_seed(0)
    module = getattr(nn, name)
    rngs = {"rngs": nnx.Rngs(0)} if "rngs" in inspect.signature(module.__init__).parameters else {}
    theirs, ours = getattr(torch.nn, name)(*LAYERS[name]), module(*LAYERS[name], **rngs)
    pairs = [(value.numpy(), changed(np.asarray(ours.state_dict()[key]))) for key, value in theirs.state_dict().items()]
    return all(
        stats.ks_2samp(left.ravel(), right.ravel()).pvalue > ALARM if np.ptp(left) else np.array_equal(left, right)
        for left, right in pairs
    )


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_starts_as_torch_s_does(name):
    assert starts_alike(name)


def test_a_start_that_is_off_by_a_tenth_is_seen():
    assert not starts_alike("Conv2d", lambda value: value * 1.1)
    assert not starts_alike("BatchNorm2d", lambda value: value + 0.1)
