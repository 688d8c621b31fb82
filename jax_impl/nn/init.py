"""Initial values: the distributions of torch.nn.init, drawn into a parameter, which is also given back.

References:
    PyTorch, torch.nn.init.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from jax_impl.nn._draws import draw

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

Tensor = TypeVar("Tensor", nnx.Variable, Array)
"""A parameter, which is written in place; of a plain array the filled one is returned and the given one stays."""

Generator = nnx.Rngs | nnx.RngStream | Array
"""What random numbers come from: nnx.Rngs, whose stream "params" is used, one stream, or a key."""

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


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with U(a, b).

    Args:
        tensor: of any shape.
        a, b: the bounds.
        generator: where the random numbers come from; JAX has no global generator, so it must be given.

    Raises:
        ValueError: where there is no generator.

    Examples:
        >>> w = uniform_(jnp.zeros((3, 5)), -1.0, 1.0, generator=jax.random.key(0))
        >>> bool(abs(w).max() <= 1.0)
        True
    """
    return _filled(tensor, draw(jax.random.uniform, _key("uniform_", generator), tensor.shape, _wide(tensor), a, b))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with N(mean, std^2).

    Args:
        tensor: of any shape.
        mean, std: of the distribution.
        generator: as for `uniform_`.

    Examples:
        >>> normal_(jnp.zeros((3, 5)), generator=jax.random.key(0)).shape
        (3, 5)
    """
    return _filled(tensor, draw(_normal, _key("normal_", generator), tensor.shape, _wide(tensor), mean, std))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with N(mean, std^2) cut off outside [a, b].

    Args:
        tensor: of any shape.
        mean, std: of the distribution before the cut.
        a, b: the bounds, in the units of the values.
        generator: as for `uniform_`.

    Examples:
        >>> w = trunc_normal_(jnp.zeros((3, 5)), std=3.0, generator=jax.random.key(0))
        >>> bool(abs(w).max() <= 2.0)
        True
    """
    key = _key("trunc_normal_", generator)
    return _filled(tensor, draw(_trunc_normal, key, tensor.shape, _wide(tensor), mean, std, a, b))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    Examples:
        >>> constant_(jnp.zeros(2), 0.5).tolist()
        [0.5, 0.5]
    """
    small = math.prod(tensor.shape) <= 1 << 16  # NumPy's, where it may stand in a compiled function as a constant
    return _filled(tensor, jnp.asarray((np if small else jnp).full(tensor.shape, val, tensor.dtype)))


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
    _axes("eye_", tensor, tensor.ndim == 2, "2 axes")
    return _filled(tensor, jnp.eye(tensor.shape[0], tensor.shape[1]))


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
    _axes("dirac_", tensor, tensor.ndim in (3, 4, 5), "3, 4 or 5 axes")
    if tensor.shape[0] % groups:
        raise ValueError(f"dirac_: {tensor.shape[0]} output channels in {groups} groups, wanted a multiple")
    out = tensor.shape[0] // groups
    d = jnp.arange(min(out, tensor.shape[1]))
    middle: tuple[int, ...] = tuple(size // 2 for size in tensor.shape[2:])
    rows = (jnp.arange(groups)[:, None] * out + d).ravel()
    return _filled(tensor, jnp.zeros(tensor.shape, tensor.dtype).at[rows, jnp.tile(d, groups), *middle].set(1))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)).

    Args:
        tensor: (fan_out, fan_in, *kernel).
        gain: from `calculate_gain`.
        generator: as for `uniform_`.

    Raises:
        ValueError: where tensor has fewer than two axes.

    Examples:
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
        >>> kaiming_normal_(jnp.zeros((3, 6)), generator=jax.random.key(0)).shape
        (3, 6)

    References:
        He et al. (2015), eq. 10.
    """
    if _nothing(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with rows, or columns where there are fewer, that are orthonormal: uniform over such matrices.

    Args:
        tensor: two axes at least; all but the first count as one.
        gain: a factor on the whole.
        generator: as for `uniform_`.

    Raises:
        ValueError: where tensor has fewer than two axes.

    Examples:
        >>> w = orthogonal_(jnp.zeros((2, 3)), generator=jax.random.key(0))
        >>> bool(jnp.allclose(w @ w.T, jnp.eye(2), atol=1e-6))
        True

    References:
        Saxe et al. (2014); Mezzadri (2007), on the signs.
    """
    _axes("orthogonal_", tensor, tensor.ndim >= 2, "2 axes or more")
    if math.prod(tensor.shape) == 0:
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    tall = (max(rows, columns), min(rows, columns))
    q, r = jnp.linalg.qr(jax.random.normal(_key("orthogonal_", generator), tall, _wide(tensor)))
    q = q * jnp.sign(jnp.diag(r))  # LAPACK's signs are not random
    return _filled(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill with N(0, std^2), and zeros in each column.

    Args:
        tensor: two axes.
        sparsity: the share of zeros, rounded up to whole elements.
        std: of the others.
        generator: as for `uniform_`.

    Raises:
        ValueError: where tensor has not two axes.

    Examples:
        >>> w = sparse_(jnp.zeros((10, 3)), 0.25, generator=jax.random.key(0))
        >>> (w == 0).sum(0).tolist()
        [3, 3, 3]

    References:
        Martens (2010).
    """
    _axes("sparse_", tensor, tensor.ndim == 2, "2 axes")
    values, order = jax.random.split(_key("sparse_", generator))
    place = jnp.argsort(jax.random.uniform(order, tensor.shape), axis=0)  # a permutation of the rows in each column
    kept = place >= math.ceil(sparsity * tensor.shape[0])
    return _filled(tensor, jnp.where(kept, std * jax.random.normal(values, tensor.shape, _wide(tensor)), 0))


def _deprecated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under the name that it had before torch marked with an underscore what writes in place."""
    name = function.__name__

    def old(*arguments: Any, **options: Any) -> Any:
        warnings.warn(
            f"`nn.init.{name[:-1]}` is now deprecated in favor of `nn.init.{name}`.", FutureWarning, stacklevel=2
        )
        return function(*arguments, **options)

    old.__name__ = old.__qualname__ = name[:-1]
    old.__doc__ = f"{name} under its old name, which torch deprecates."
    return old


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)


def _key(what: str, generator: Generator | None) -> Array:
    if generator is None:
        raise ValueError(f"{what}: no generator, and JAX has no global one; hand over generator=rngs, an nnx.Rngs")
    if isinstance(generator, nnx.Rngs):
        return generator.params()
    return generator() if isinstance(generator, nnx.RngStream) else generator


def _wide(tensor: Any) -> Any:
    """What to draw in: narrow floats have too few values for the tails."""
    return tensor.dtype if jnp.finfo(tensor.dtype).bits >= 32 else jnp.float32


def _normal(key: Array, shape: tuple[int, ...], dtype: Any, mean: float, std: float) -> Array:
    return mean + std * jax.random.normal(key, shape, dtype)


def _trunc_normal(key: Array, shape: Any, dtype: Any, mean: float, std: float, a: float, b: float) -> Array:
    lower, upper = ((bound - mean) / std for bound in (a, b))
    return jnp.clip(mean + std * jax.random.truncated_normal(key, lower, upper, shape, dtype), a, b)


def _filled(tensor: Tensor, value: Array) -> Tensor:
    value = value.astype(tensor.dtype)
    if not isinstance(tensor, nnx.Variable):
        return value
    tensor.set_value(value)
    return tensor


def _axes(what: str, tensor: Any, right: bool, wanted: str) -> None:
    if not right:
        raise ValueError(f"{what}: the tensor has shape {tuple(tensor.shape)}, wanted {wanted}")


def _fans(tensor: Any) -> tuple[int, int]:
    _axes("fan in and fan out", tensor, tensor.ndim >= 2, "2 axes or more: (fan_out, fan_in, *kernel)")
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
