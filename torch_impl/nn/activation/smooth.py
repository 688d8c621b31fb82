"""Layers of sigmoids, gates and shrinkages."""

from torch.nn import (
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

__all__ = [
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
]
