"""Initial values: the distributions of torch.nn.init, drawn into a parameter, which is also given back.

References:
    PyTorch, torch.nn.init.
"""

from jax_impl.nn.init.drawn import normal_, orthogonal_, sparse_, trunc_normal_, uniform_
from jax_impl.nn.init.fixed import constant_, dirac_, eye_, ones_, zeros_
from jax_impl.nn.init.old_names import (
    constant,
    dirac,
    eye,
    kaiming_normal,
    kaiming_uniform,
    normal,
    orthogonal,
    sparse,
    uniform,
    xavier_normal,
    xavier_uniform,
)
from jax_impl.nn.init.scaled import calculate_gain, kaiming_normal_, kaiming_uniform_, xavier_normal_, xavier_uniform_

__all__ = [
    "calculate_gain",
    "uniform_",
    "normal_",
    "trunc_normal_",
    "constant_",
    "ones_",
    "zeros_",
    "eye_",
    "dirac_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "orthogonal_",
    "sparse_",
    "uniform",
    "normal",
    "constant",
    "eye",
    "dirac",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "orthogonal",
    "sparse",
]
