"""The activations of torch.nn.functional: three files, by the shape of their curve.

References:
    PyTorch, torch.nn.functional, "Non-linear activation functions".
"""

from jax_impl.functional.activation.rectifiers import (
    celu,
    elu,
    hardtanh,
    leaky_relu,
    prelu,
    relu,
    relu6,
    rrelu,
    selu,
    threshold,
)
from jax_impl.functional.activation.smooth import (
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
from jax_impl.functional.activation.softmax import gumbel_softmax, log_softmax, softmax, softmin

__all__ = [
    "threshold",
    "relu",
    "relu6",
    "hardtanh",
    "leaky_relu",
    "prelu",
    "rrelu",
    "elu",
    "selu",
    "celu",
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
    "softmax",
    "softmin",
    "log_softmax",
    "gumbel_softmax",
]
