"""How every weight of a recurrent net starts: U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""

import math

from flax import nnx

from jax_impl.nn import init
from jax_impl.nn.module import Module


def reset(module: Module, hidden_size: int, rngs: nnx.Rngs) -> None:
    bound = 1 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for parameter in module.parameters():
        init.uniform_(parameter, -bound, bound, generator=rngs)
