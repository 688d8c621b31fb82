"""The activations of torch.nn: three files, by the shape of their curve.

References:
    PyTorch, torch.nn, "Non-linear Activations".
"""

from torch_impl.nn.activation.rectifiers import (
    CELU,
    ELU,
    SELU,
    Hardtanh,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Threshold,
)
from torch_impl.nn.activation.smooth import (
    GELU,
    GLU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    LogSigmoid,
    Mish,
    Sigmoid,
    SiLU,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
)
from torch_impl.nn.activation.softmax import LogSoftmax, Softmax, Softmax2d, Softmin

__all__ = [
    "Threshold",
    "ReLU",
    "Hardtanh",
    "ReLU6",
    "LeakyReLU",
    "PReLU",
    "RReLU",
    "ELU",
    "SELU",
    "CELU",
    "Sigmoid",
    "Hardsigmoid",
    "LogSigmoid",
    "Tanh",
    "Tanhshrink",
    "Softsign",
    "Softplus",
    "SiLU",
    "Hardswish",
    "Mish",
    "GELU",
    "GLU",
    "Hardshrink",
    "Softshrink",
    "Softmax",
    "Softmin",
    "LogSoftmax",
    "Softmax2d",
]
