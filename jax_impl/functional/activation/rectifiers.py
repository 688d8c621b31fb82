"""Activations made of straight lines, and the exponential ones that replace their negative half.

Where the two slopes of a corner differ, the gradient at the corner itself is the one that torch takes: 0 for relu at 0
and for hardtanh at both ends, the negative side's for leaky_relu, prelu, elu and celu.

Arrays do not change: `inplace` is accepted, so that calls carry over, and changes nothing.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

__all__ = ["threshold", "relu", "relu6", "hardtanh", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu"]

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def threshold(input: Float[Array, "*S"], threshold: float, value: float, inplace: bool = False) -> Float[Array, "*S"]:
    """x where x > threshold, value elsewhere; the slope at the threshold is 0.

    Args:
        input: x, any shape, floating.
        threshold: the number that x must exceed to pass.
        value: what stands in for the rest.
        inplace: no effect.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> threshold(array([0.0, 1.0, 2.0]), 1.0, 9.0).tolist()
        [9.0, 9.0, 2.0]

    References:
        PyTorch, torch.nn.functional.threshold.
    """
    return jnp.where(input <= threshold, jnp.asarray(value, input.dtype), input)


def relu(input: Float[Array, "*S"], inplace: bool = False) -> Float[Array, "*S"]:
    """max(x, 0), of slope 0 at 0.

    Args:
        input: x, any shape, floating.
        inplace: no effect.

    Returns:
        Shaped as input, of its dtype; NaN stays NaN.

    Examples:
        >>> relu(array([-1.0, 2.0])).tolist()
        [0.0, 2.0]

    References:
        PyTorch, torch.nn.functional.relu.
    """
    return threshold(input, 0, 0)


def hardtanh(
    input: Float[Array, "*S"], min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Float[Array, "*S"]:
    """x cut off at min_val and max_val, of slope 0 at both and beyond.

    Args:
        input: x, any shape, floating.
        min_val: the lowest value.
        max_val: the highest value, at least min_val.
        inplace: no effect.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: where min_val > max_val.

    Examples:
        >>> hardtanh(array([-3.0, 0.5, 3.0])).tolist()
        [-1.0, 0.5, 1.0]

    References:
        PyTorch, torch.nn.functional.hardtanh.
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val} and max_val {max_val}, wanted min_val <= max_val")
    ends = jax.lax.stop_gradient(jnp.clip(input, min_val, max_val))
    return jnp.where((input <= min_val) | (input >= max_val), ends, input)


def relu6(input: Float[Array, "*S"], inplace: bool = False) -> Float[Array, "*S"]:
    """min(max(x, 0), 6), of slope 0 at 0 and at 6.

    Args:
        input: x, any shape, floating.
        inplace: no effect.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> relu6(array([-1.0, 2.0, 7.0])).tolist()
        [0.0, 2.0, 6.0]

    References:
        PyTorch, torch.nn.functional.relu6; A. Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10" (2010).
    """
    return hardtanh(input, 0.0, 6.0)


def leaky_relu(input: Float[Array, "*S"], negative_slope: float = 0.01, inplace: bool = False) -> Float[Array, "*S"]:
    """x where x > 0, negative_slope x elsewhere, 0 included.

    Args:
        input: x, any shape, floating.
        negative_slope: the slope of the negative half.
        inplace: no effect.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> leaky_relu(array([-2.0, 2.0]), 0.5).tolist()
        [-1.0, 2.0]

    References:
        PyTorch, torch.nn.functional.leaky_relu; A. L. Maas et al., "Rectifier Nonlinearities" (2013).
    """
    return jnp.where(input > 0, input, input * negative_slope)


def prelu(input: Float[Array, "*S"], weight: Float[Array, " C"]) -> Float[Array, "*S"]:
    """leaky_relu whose slope is learnt: one for all, or one a channel.

    Args:
        input: x, any shape, floating; its second axis holds the channels, its only axis where there is one.
        weight: the slopes, (1,) or (C,), or a scalar.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        RuntimeError: where weight has more than one axis, or fits the channels not.

    Examples:
        >>> prelu(array([[-2.0, -2.0]]), array([0.5, 2.0])).tolist()
        [[-1.0, -4.0]]

    References:
        PyTorch, torch.nn.functional.prelu; K. He et al., "Delving Deep into Rectifiers" (2015).
    """
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: weight has shape {tuple(weight.shape)}, wanted one number or (C,): a slope a channel"
        )
    channels = 1 if input.ndim < 2 else input.shape[1]
    if weight.size not in (1, channels):
        raise RuntimeError(
            f"prelu: weight holds {weight.size} slopes and input {tuple(input.shape)} has {channels} channels, wanted "
            "one slope or one a channel"
        )
    axes = () if input.ndim == 0 else tuple(-1 if axis == min(1, input.ndim - 1) else 1 for axis in range(input.ndim))
    return jnp.where(input > 0, input, weight.reshape(axes) * input)


def rrelu(
    input: Float[Array, "*S"],
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    key: Array | None = None,
) -> Float[Array, "*S"]:
    """leaky_relu whose slope is drawn for each element from U(lower, upper) in training, and is the middle otherwise.

    Args:
        input: x, any shape, floating.
        lower: the least slope.
        upper: the greatest slope, at least lower.
        training: whether to draw.
        inplace: no effect.
        key: a key of jax.random, needed in training.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        RuntimeError: where lower > upper.
        ValueError: where training without a key.

    Examples:
        >>> rrelu(array([-2.0, 2.0]), 0.25, 0.75).tolist()
        [-1.0, 2.0]

    References:
        PyTorch, torch.nn.functional.rrelu; B. Xu et al., "Empirical Evaluation of Rectified Activations" (2015).
    """
    if lower > upper:
        raise RuntimeError(f"rrelu: lower is {lower} and upper {upper}, wanted lower <= upper")
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    if key is None:
        raise ValueError("rrelu: training without a key; give key=jax.random.key(seed), or an RReLU its rngs")
    slopes = jax.random.uniform(key, input.shape, input.dtype, lower, upper)
    return jnp.where(input > 0, input, slopes * input)


def elu(input: Float[Array, "*S"], alpha: float = 1.0, inplace: bool = False) -> Float[Array, "*S"]:
    """x where x > 0, alpha (exp(x) - 1) elsewhere.

    Args:
        input: x, any shape, floating.
        alpha: minus the limit to the left.
        inplace: no effect.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> [round(y, 4) for y in elu(array([-1.0, 2.0])).tolist()]
        [-0.6321, 2.0]

    References:
        PyTorch, torch.nn.functional.elu; D.-A. Clevert et al., "Fast and Accurate Deep Network Learning by Exponential
        Linear Units" (2016).
    """
    return _exponential_linear(input, alpha, 1.0, 1.0)


def selu(input: Float[Array, "*S"], inplace: bool = False) -> Float[Array, "*S"]:
    """s elu(x, a), with the two constants that keep mean 0 and variance 1.

    Args:
        input: x, any shape, floating.
        inplace: no effect.

    Returns:
        Shaped as input, of its dtype.

    Examples:
        >>> [round(y, 4) for y in selu(array([-1.0, 2.0])).tolist()]
        [-1.1113, 2.1014]

    References:
        PyTorch, torch.nn.functional.selu; G. Klambauer et al., "Self-Normalizing Neural Networks" (2017).
    """
    return _exponential_linear(input, SELU_ALPHA, SELU_SCALE, 1.0)


def celu(input: Float[Array, "*S"], alpha: float = 1.0, inplace: bool = False) -> Float[Array, "*S"]:
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)), smooth at 0 for every alpha.

    Args:
        input: x, any shape, floating.
        alpha: minus the limit to the left; not 0.
        inplace: no effect.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        RuntimeError: where alpha is 0.

    Examples:
        >>> [round(y, 4) for y in celu(array([-1.0, 2.0]), 2.0).tolist()]
        [-0.7869, 2.0]

    References:
        PyTorch, torch.nn.functional.celu; J. T. Barron, "Continuously Differentiable Exponential Linear Units" (2017).
    """
    if alpha == 0:
        raise RuntimeError("celu: alpha is 0, wanted another number: x is divided by it")
    return _exponential_linear(input, alpha, 1.0, 1.0 / alpha)


def _exponential_linear(x: Float[Array, "*S"], alpha: float, scale: float, input_scale: float) -> Float[Array, "*S"]:
    left = x <= 0
    # the exponential sees no large positive x, where it would overflow and make the gradient NaN
    curve = _expm1(jnp.where(left, x, 0) * input_scale) * (alpha * scale)
    return jnp.where(left, curve, x * scale)


# JAX's own slope is expm1(x) + 1, which far to the left has lost the digits that torch's exp(x) has
_expm1 = jax.custom_jvp(jnp.expm1)
_expm1.defjvps(lambda slope, answer, x: slope * jnp.exp(x))
