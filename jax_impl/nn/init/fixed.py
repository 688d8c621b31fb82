"""Initial values that are not drawn: one value, an identity, a convolution that hands its input through.

References:
    PyTorch, torch.nn.init.
"""

import math

import jax.numpy as jnp
import numpy as np

from jax_impl.nn.init._filling import Tensor, filled, require

__all__ = [
    "constant_",
    "ones_",
    "zeros_",
    "eye_",
    "dirac_",
]


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    Examples:
        >>> constant_(jnp.zeros(2), 0.5).tolist()
        [0.5, 0.5]
    """
    small = math.prod(tensor.shape) <= 1 << 16  # NumPy's, where it may stand in a compiled function as a constant
    return filled(tensor, jnp.asarray((np if small else jnp).full(tensor.shape, val, tensor.dtype)))


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones.

    Examples:
        >>> ones_(jnp.zeros(2)).tolist()
        [1.0, 1.0]
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros.

    Examples:
        >>> zeros_(jnp.ones(2)).tolist()
        [0.0, 0.0]
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill with the identity matrix, as far as the shape has room.

    Raises:
        ValueError: where tensor has not two axes.

    Examples:
        >>> eye_(jnp.zeros((2, 3))).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    require("eye_", tensor, tensor.ndim == 2, "2 axes")
    return filled(tensor, jnp.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it hands channels through, in each group as many as there are.

    Args:
        tensor: (out_channels, in_channels / groups, *kernel), one to three kernel axes.
        groups: of the convolution.

    Raises:
        ValueError: where tensor has not three to five axes, or the groups do not divide the channels.

    Examples:
        >>> dirac_(jnp.zeros((2, 2, 3))).tolist()
        [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    require("dirac_", tensor, tensor.ndim in (3, 4, 5), "3, 4 or 5 axes")
    if tensor.shape[0] % groups:
        raise ValueError(f"dirac_: {tensor.shape[0]} output channels in {groups} groups, wanted a multiple")
    out = tensor.shape[0] // groups
    d = jnp.arange(min(out, tensor.shape[1]))
    middle: tuple[int, ...] = tuple(size // 2 for size in tensor.shape[2:])
    rows = (jnp.arange(groups)[:, None] * out + d).ravel()
    return filled(tensor, jnp.zeros(tensor.shape, tensor.dtype).at[rows, jnp.tile(d, groups), *middle].set(1))
