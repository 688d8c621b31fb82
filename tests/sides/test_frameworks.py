"""The framework of a side is told from what it mentions, or asked for."""

import functools

import flax.nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from parity.sides.frameworks import framework_of

TABLE = jnp.ones(3)


def from_a_global_array(x):
    return x * TABLE


def by_way_of_another(x):
    return from_a_global_array(x)


def with_an_import_inside(x):
    def inner(y):
        return torch.relu(y)

    return inner(x)


class Layer(nn.Module):
    def forward(self, x):
        return x


class Callable:
    def __call__(self, x):
        return jnp.sin(x)


class TorchSide:
    model = None


def closing_over(array):
    return lambda x: x * array


@pytest.mark.parametrize(
    ("side", "framework"),
    [
        (torch.sin, "torch"),
        (nn.functional.gelu, "torch"),
        (Layer(), "torch"),
        (Layer().forward, "torch"),
        (with_an_import_inside, "torch"),
        (closing_over(torch.ones(2)), "torch"),
        (functools.partial(lambda x, layer: layer(x), layer=Layer()), "torch"),
        (TorchSide(), "torch"),
        (jnp.sin, "jax"),
        (jax.nn.gelu, "jax"),
        (jax.jit(lambda x: x + 1), "jax"),
        (flax.nnx.Linear(2, 3, rngs=flax.nnx.Rngs(0)), "jax"),
        (from_a_global_array, "jax"),
        (by_way_of_another, "jax"),
        (Callable(), "jax"),
    ],
    ids=str,
)
def test_a_side_that_mentions_one_framework_is_of_it(side, framework):
    assert framework_of(side) == framework


def test_a_side_without_a_hint_is_of_the_framework_that_its_file_imports():
    names = {"np": np}
    exec("import torch\ndef double(x):\n    return x * 2", names)
    assert framework_of(names["double"]) == "torch"


def test_what_mentions_both_or_neither_is_asked_for():
    with pytest.raises(ValueError, match=r'both mentions both frameworks; say which it is: framework="torch" or'):
        framework_of(both)
    names = {}
    exec("def double(x):\n    return x * 2", names)
    with pytest.raises(ValueError, match="double mentions neither framework"):
        framework_of(names["double"])


def both(x):
    return jnp.asarray(torch.sin(x))
