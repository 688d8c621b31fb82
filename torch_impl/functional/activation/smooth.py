"""Sigmoids, gates and shrinkages: the activations whose curve bends, or is built from one that does.

At a corner the gradient is the one that torch takes: hardsigmoid and hardswish are flat at -3, hardshrink and
softshrink at both ends of the band that they empty.
"""

from torch.nn.functional import (
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    logsigmoid,
    mish,
    sigmoid,
    silu,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
)

__all__ = [
    "sigmoid",
    "hardsigmoid",
    "logsigmoid",
    "tanh",
    "tanhshrink",
    "softsign",
    "softplus",
    "silu",
    "hardswish",
    "mish",
    "gelu",
    "glu",
    "hardshrink",
    "softshrink",
]
