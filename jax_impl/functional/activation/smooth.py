"""Sigmoids, gates and shrinkages: the activations whose curve bends, or is built from one that does.

At a corner the gradient is the one that torch takes: hardsigmoid and hardswish are flat at -3, hardshrink and
softshrink at both ends of the band that they empty.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.functional.arguments import axis_of

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


def sigmoid(input: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """1 / (1 + exp(-x)).

    Args:
        input: x, any shape, floating.

    Returns:
        Shaped as input, of its dtype, in [0, 1].

    Examples:
        >>> sigmoid(array([0.0])).tolist()
        [0.5]

    References:
        PyTorch, torch.nn.functional.sigmoid.
    """
    return jax.nn.sigmoid(input)


def hardsigmoid(input: Float[Array, "*S"], inplace: bool = False) -> Float[Array, "*S"]:
    """0 up to -3, 1 from 3 on, (x + 3) / 6 between.

    The slope is 1/6; torch's, in float64, is 1/6 rounded to float32.

    Args:
        input: x, any shape, floating.
        inplace: no effect: arrays do not change.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> hardsigmoid(array([-4.0, 0.0, 4.0])).tolist()
        [0.0, 0.5, 1.0]

    References:
        PyTorch, torch.nn.functional.hardsigmoid; A. Howard et al., "Searching for MobileNetV3" (2019).
    """
    inside = (input + 3) / 6
    return jnp.where(input <= -3, jnp.zeros_like(input), jnp.where(input >= 3, jnp.ones_like(input), inside))


def logsigmoid(input: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """log(sigmoid(x)), for x of any size.

    Args:
        input: x, any shape, floating.

    Returns:
        Shaped as input, of its dtype, at most 0.

    Examples:
        >>> [round(y, 4) for y in logsigmoid(array([0.0, -1000.0])).tolist()]
        [-0.6931, -1000.0]

    References:
        PyTorch, torch.nn.functional.logsigmoid.
    """
    return jax.nn.log_sigmoid(input)


def tanh(input: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """The hyperbolic tangent.

    Args:
        input: x, any shape, floating.

    Returns:
        Shaped as input, of its dtype, in [-1, 1].

    Examples:
        >>> tanh(array([0.0])).tolist()
        [0.0]

    References:
        PyTorch, torch.nn.functional.tanh.
    """
    return jnp.tanh(input)


def tanhshrink(input: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """x - tanh(x).

    Args:
        input: x, any shape, floating.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> [round(y, 4) for y in tanhshrink(array([0.0, 1.0])).tolist()]
        [0.0, 0.2384]

    References:
        PyTorch, torch.nn.functional.tanhshrink.
    """
    return input - jnp.tanh(input)


def softsign(input: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """x / (1 + |x|).

    Args:
        input: x, any shape, floating.

    Returns:
        Shaped as input, of its dtype, in [-1, 1].

    Examples:
        >>> softsign(array([-1.0, 3.0])).tolist()
        [-0.5, 0.75]

    References:
        PyTorch, torch.nn.functional.softsign.
    """
    return input / (1 + jnp.abs(input))


def softplus(input: Float[Array, "*S"], beta: float = 1.0, threshold: float = 20.0) -> Float[Array, "*S"]:
    """log(1 + exp(beta x)) / beta, and x itself, of slope 1, where beta x > threshold.

    Args:
        input: x, any shape, floating.
        beta: how sharp the bend is.
        threshold: where the straight line takes over; jax.nn.softplus has none.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> [round(y, 4) for y in softplus(array([0.0, 30.0])).tolist()]
        [0.6931, 30.0]

    References:
        PyTorch, torch.nn.functional.softplus.
    """
    straight = input * beta > threshold
    bent = jnp.log1p(jnp.exp(jnp.where(straight, 0, input * beta))) / beta
    return jnp.where(straight, input, bent)


def silu(input: Float[Array, "*S"], inplace: bool = False) -> Float[Array, "*S"]:
    """x sigmoid(x), also called swish.

    Args:
        input: x, any shape, floating.
        inplace: no effect: arrays do not change.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> [round(y, 4) for y in silu(array([0.0, 1.0])).tolist()]
        [0.0, 0.7311]

    References:
        PyTorch, torch.nn.functional.silu; S. Elfwing et al., "Sigmoid-Weighted Linear Units" (2018).
    """
    return input * jax.nn.sigmoid(input)


def hardswish(input: Float[Array, "*S"], inplace: bool = False) -> Float[Array, "*S"]:
    """0 up to -3, x from 3 on, x (x + 3) / 6 between.

    Args:
        input: x, any shape, floating.
        inplace: no effect: arrays do not change.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> hardswish(array([-4.0, 1.5, 4.0])).tolist()
        [0.0, 1.125, 4.0]

    References:
        PyTorch, torch.nn.functional.hardswish; A. Howard et al., "Searching for MobileNetV3" (2019).
    """
    inside = input * ((input + 3) / 6)
    return jnp.where(input <= -3, jnp.zeros_like(input), jnp.where(input >= 3, input, inside))


def mish(input: Float[Array, "*S"], inplace: bool = False) -> Float[Array, "*S"]:
    """x tanh(log(1 + exp(x))).

    Args:
        input: x, any shape, floating.
        inplace: no effect: arrays do not change.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> [round(y, 4) for y in mish(array([0.0, 1.0])).tolist()]
        [0.0, 0.8651]

    References:
        PyTorch, torch.nn.functional.mish; D. Misra, "Mish" (2020).
    """
    return input * jnp.tanh(jax.nn.softplus(input))


def gelu(input: Float[Array, "*S"], approximate: str = "none") -> Float[Array, "*S"]:
    """x times the probability that a normal number lies below x.

    "none": x (1 + erf(x / sqrt 2)) / 2.
    "tanh": x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, jax.nn.gelu's default.

    Args:
        input: x, any shape, floating.
        approximate: "none" or "tanh".

    Returns:
        Shaped as input, of its dtype.

    Raises:
        RuntimeError: for another approximate.

    Examples:
        >>> [round(y, 4) for y in gelu(array([0.0, 1.0])).tolist()]
        [0.0, 0.8413]

    References:
        PyTorch, torch.nn.functional.gelu; D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units" (2016).
    """
    if approximate == "none":
        return 0.5 * input * (1 + jax.lax.erf(input * math.sqrt(0.5)))
    if approximate == "tanh":
        return 0.5 * input * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * input**3)))
    raise RuntimeError(f"gelu: approximate is {approximate!r}, wanted 'none' or 'tanh'")


def glu(input: Float[Array, "..."], dim: int = -1) -> Float[Array, "..."]:
    """a sigmoid(b), where a and b are the halves of the input along one axis.

    Args:
        input: any shape, floating, of an even number of elements along dim.
        dim: the axis to halve.

    Returns:
        Half of input's shape along dim, of its dtype.

    Raises:
        RuntimeError: for a scalar, or an odd number.
        IndexError: where there is no such axis.

    Examples:
        >>> glu(array([4.0, 0.0])).tolist()
        [2.0]

    References:
        PyTorch, torch.nn.functional.glu; Y. Dauphin et al., "Language Modeling with Gated Convolutions" (2017).
    """
    if input.ndim == 0:
        raise RuntimeError("glu: input is a scalar, which has no axis to halve")
    axis = axis_of("glu", input, dim)
    if input.shape[axis] % 2:
        raise RuntimeError(
            f"glu: input {tuple(input.shape)} has {input.shape[axis]} along axis {dim}, wanted an even number"
        )
    values, gates = jnp.split(input, 2, axis)
    return values * jax.nn.sigmoid(gates)


def hardshrink(input: Float[Array, "*S"], lambd: float = 0.5) -> Float[Array, "*S"]:
    """0 where |x| <= lambd, x elsewhere.

    Args:
        input: x, any shape, floating.
        lambd: half the width of the band.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> hardshrink(array([-1.0, 0.5, 1.0])).tolist()
        [-1.0, 0.0, 1.0]

    References:
        PyTorch, torch.nn.functional.hardshrink.
    """
    return jnp.where((input >= -lambd) & (input <= lambd), jnp.zeros_like(input), input)


def softshrink(input: Float[Array, "*S"], lambd: float = 0.5) -> Float[Array, "*S"]:
    """x moved towards 0 by lambd, and 0 where |x| <= lambd.

    Args:
        input: x, any shape, floating.
        lambd: how far; at least 0.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        RuntimeError: where lambd is negative.

    Examples:
        >>> softshrink(array([-1.0, 0.5, 1.0])).tolist()
        [-0.5, 0.0, 0.5]

    References:
        PyTorch, torch.nn.functional.softshrink.
    """
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd is {lambd}, wanted at least 0")
    # inside the band x * 0 keeps a NaN
    return jnp.where(input > lambd, input - lambd, jnp.where(input < -lambd, input + lambd, input * 0))
