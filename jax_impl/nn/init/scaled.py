"""Initial values whose spread keeps the variance from layer to layer, by Glorot and by He.

References:
    PyTorch, torch.nn.init.
"""

import math
import warnings
from typing import Any

from jax_impl.nn.init._filling import Generator, Tensor, require
from jax_impl.nn.init.drawn import normal_, uniform_

__all__ = [
    "calculate_gain",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
]

GAINS = dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0)
GAINS |= dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0)
GAINS |= {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on a standard deviation that keeps the variance across a nonlinearity.

    Args:
        nonlinearity: a name of GAINS, or "leaky_relu", whose gain is sqrt(2 / (1 + slope^2)).
        param: the slope of leaky_relu; None for 0.01.

    Raises:
        ValueError: where the name is unknown, or the slope is no number.

    Examples:
        >>> calculate_gain("relu") == 2**0.5
        True
    """
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
            raise ValueError(f"calculate_gain: the slope of leaky_relu is {param!r}, wanted a number")
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        known = ", ".join(sorted([*GAINS, "leaky_relu"]))
        raise ValueError(f"calculate_gain: nonlinearity is {nonlinearity!r}, wanted one of {known}")
    return GAINS[nonlinearity]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)).

    Args:
        tensor: (fan_out, fan_in, *kernel).
        gain: from `calculate_gain`.
        generator: as for `uniform_`.

    Raises:
        ValueError: where tensor has fewer than two axes.

    Examples:
        >>> import jax, jax.numpy as jnp
        >>> w = xavier_uniform_(jnp.zeros((3, 3)), generator=jax.random.key(0))
        >>> bool(abs(w).max() <= 1.0)
        True

    References:
        Glorot and Bengio (2010), eq. 16.
    """
    bound = gain * math.sqrt(6 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out)).

    Args:
        tensor, gain, generator: as for `xavier_uniform_`.

    Raises:
        ValueError: where tensor has fewer than two axes.

    Examples:
        >>> import jax, jax.numpy as jnp
        >>> xavier_normal_(jnp.zeros((3, 3)), generator=jax.random.key(0)).shape
        (3, 3)

    References:
        Glorot and Bengio (2010), eq. 12.
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor))), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with U(-bound, bound), bound = gain sqrt(3 / fan).

    Args:
        tensor: (fan_out, fan_in, *kernel).
        a: the slope, where the nonlinearity is "leaky_relu".
        mode: the fan, "fan_in" or "fan_out".
        nonlinearity: what `calculate_gain` takes.
        generator: as for `uniform_`.

    Raises:
        ValueError: where tensor has fewer than two axes, or the mode or the nonlinearity is unknown.

    Examples:
        >>> import jax, jax.numpy as jnp
        >>> w = kaiming_uniform_(jnp.zeros((3, 6)), generator=jax.random.key(0))
        >>> bool(abs(w).max() <= 1.0)
        True

    References:
        He et al. (2015), eq. 10.
    """
    if _nothing(tensor):
        return tensor
    bound = math.sqrt(3) * _kaiming(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with N(0, std^2), std = gain / sqrt(fan).

    Args:
        tensor, a, mode, nonlinearity, generator: as for `kaiming_uniform_`.

    Raises:
        ValueError: where tensor has fewer than two axes, or the mode or the nonlinearity is unknown.

    Examples:
        >>> import jax, jax.numpy as jnp
        >>> kaiming_normal_(jnp.zeros((3, 6)), generator=jax.random.key(0)).shape
        (3, 6)

    References:
        He et al. (2015), eq. 10.
    """
    if _nothing(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity), generator)


def _fans(tensor: Any) -> tuple[int, int]:
    require("fan in and fan out", tensor, tensor.ndim >= 2, "2 axes or more: (fan_out, fan_in, *kernel)")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _kaiming(tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode is {mode!r}, wanted 'fan_in' or 'fan_out'")
    return calculate_gain(nonlinearity, a) / math.sqrt(_fans(tensor)[mode.lower() == "fan_out"])


def _nothing(tensor: Any) -> bool:
    if 0 not in tensor.shape:
        return False
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return True
