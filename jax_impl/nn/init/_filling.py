"""What every initial value needs: a key, a dtype to draw in, and a tensor to write to."""

from typing import Any, TypeVar

import jax.numpy as jnp
from flax import nnx
from jax import Array

Tensor = TypeVar("Tensor", nnx.Variable, Array)
"""A parameter, which is written in place; of a plain array the filled one is returned and the given one stays."""

Generator = nnx.Rngs | nnx.RngStream | Array
"""What random numbers come from: nnx.Rngs, whose stream "params" is used, one stream, or a key."""


def key_of(what: str, generator: Generator | None) -> Array:
    if generator is None:
        raise ValueError(f"{what}: no generator, and JAX has no global one; hand over generator=rngs, an nnx.Rngs")
    if isinstance(generator, nnx.Rngs):
        return generator.params()
    return generator() if isinstance(generator, nnx.RngStream) else generator


def wide(tensor: Any) -> Any:
    """What to draw in: narrow floats have too few values for the tails."""
    return tensor.dtype if jnp.finfo(tensor.dtype).bits >= 32 else jnp.float32


def filled(tensor: Tensor, value: Array) -> Tensor:
    value = value.astype(tensor.dtype)
    if not isinstance(tensor, nnx.Variable):
        return value
    tensor.set_value(value)
    return tensor


def require(what: str, tensor: Any, right: bool, wanted: str) -> None:
    if not right:
        raise ValueError(f"{what}: the tensor has shape {tuple(tensor.shape)}, wanted {wanted}")
