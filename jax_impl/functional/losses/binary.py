"""Losses of yes and no: of probabilities, of scores, and of scores with targets of minus one and one."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from jax_impl.functional.gradients import scaled_gradient
from jax_impl.functional.losses.reduction import reduced, reduction_name

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "soft_margin_loss",
    "multilabel_soft_margin_loss",
]


def binary_cross_entropy(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    weight: Float[Array, "..."] | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """-(y log p + (1 - y) log(1 - p)), each logarithm at least -100.

    The gradient is (p - y) / (p (1 - p)), its denominator at least 1e-12: at p = 0 and p = 1 it is large, not infinite.

    Args:
        input: p, any shape, floating, in [0, 1].
        target: y, as input.
        weight: of each element, broadcast to target.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction, or where the shapes differ.
        RuntimeError: where weight does not broadcast, or an input that is not being traced lies outside [0, 1].

    Examples:
        >>> round(float(binary_cross_entropy(array([0.5, 0.5]), array([0.0, 1.0]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.functional.binary_cross_entropy.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    _check_same("binary_cross_entropy", input, target, ValueError)
    if not isinstance(input, jax.core.Tracer) and ((np.asarray(input) < 0) | (np.asarray(input) > 1)).any():
        raise RuntimeError(
            "binary_cross_entropy: input has elements outside [0, 1]; scores go to the _with_logits form"
        )
    y = jax.lax.stop_gradient(target)
    # the slope in the target is torch's, which bounds no logarithm there
    slope = jax.lax.stop_gradient(-jnp.log(input / (1 - input)))
    loss = _surprise(input, y) + (scaled_gradient(target, slope) - y)
    if weight is not None:
        loss = loss * _fitted("binary_cross_entropy", weight, target.shape)
    return reduced("binary_cross_entropy", loss, reduction)


def binary_cross_entropy_with_logits(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    weight: Float[Array, "..."] | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Float[Array, "..."] | None = None,
) -> Float[Array, "..."]:
    """binary_cross_entropy of sigmoid(x), for x of any size.

    L = (1 - y) x - (1 + (w - 1) y) log sigmoid(x), w the weight of yes.

    Args:
        input: x, any shape, floating.
        target: y, as input.
        weight: of each element, broadcast to input.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".
        pos_weight: w, broadcast to input.

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction, or where the shapes differ.
        RuntimeError: where a weight does not broadcast.

    Examples:
        >>> round(float(binary_cross_entropy_with_logits(array([0.0]), array([1.0]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.functional.binary_cross_entropy_with_logits.
    """
    name = "binary_cross_entropy_with_logits"
    reduction = reduction_name(size_average, reduce, reduction)
    _check_same(name, input, target, ValueError)
    of_yes = 1 if pos_weight is None else 1 + (_fitted(name, pos_weight, input.shape) - 1) * target
    loss = (1 - target) * input - of_yes * jax.nn.log_sigmoid(input)
    if weight is not None:
        loss = loss * _fitted(name, weight, input.shape)
    return reduced(name, loss, reduction)


def soft_margin_loss(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """log(1 + exp(-y x)).

    Args:
        input: x, any shape, floating.
        target: y, as input, -1 or 1.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction.
        RuntimeError: where the shapes differ.

    Examples:
        >>> round(float(soft_margin_loss(array([0.0]), array([1.0]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.functional.soft_margin_loss.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    _check_same("soft_margin_loss", input, target, RuntimeError)
    return reduced("soft_margin_loss", jax.nn.softplus(-target * input), reduction)


def multilabel_soft_margin_loss(
    input: Float[Array, "*N C"],
    target: Float[Array, "*N C"],
    weight: Float[Array, "..."] | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """The mean over classes of -(y log sigmoid(x) + (1 - y) log sigmoid(-x)).

    Args:
        input: x, (C,) or (N, C), floating.
        target: y, as input, 0 or 1.
        weight: of each class, broadcast to input.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        input's shape without C, or a scalar.

    Raises:
        ValueError: for another reduction.
        RuntimeError: where shapes do not broadcast.

    Examples:
        >>> round(float(multilabel_soft_margin_loss(array([[0.0, 0.0]]), array([[1.0, 0.0]]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.functional.multilabel_soft_margin_loss.
    """
    name = "multilabel_soft_margin_loss"
    reduction = reduction_name(size_average, reduce, reduction)
    target = _fitted(name, target, input.shape)
    loss = -(target * jax.nn.log_sigmoid(input) + (1 - target) * jax.nn.log_sigmoid(-input))
    if weight is not None:
        loss = loss * _fitted(name, weight, input.shape)
    return reduced(name, loss.sum(-1) / input.shape[-1], reduction)


@jax.custom_jvp
def _surprise(p: Float[Array, "*S"], y: Float[Array, "*S"]) -> Float[Array, "*S"]:
    yes, no = _logarithms(p)
    return (y - 1) * no - y * yes


@_surprise.defjvp
def _surprise_jvp(primals: tuple, tangents: tuple) -> tuple:
    (p, y), (dp, _) = primals, tangents
    return _surprise(p, y), (p - y) / jnp.maximum((1 - p) * p, 1e-12) * dp


def _logarithms(p: Float[Array, "*S"]) -> tuple[Float[Array, "*S"], Float[Array, "*S"]]:
    # XLA's log1p loses two digits of a float64 for p between 0.293 and 0.414, where log(1 - p) is good already
    no = jnp.where(p > 0.29, jnp.log(1 - p), jnp.log1p(-p))
    return jnp.maximum(jnp.log(p), -100), jnp.maximum(no, -100)


def _check_same(name: str, input: Array, target: Array, error: type[Exception]) -> None:
    if input.shape != target.shape:
        raise error(
            f"{name}: input has shape {tuple(input.shape)} and target {tuple(target.shape)}, wanted one shape; reshape "
            "one of them"
        )


def _fitted(name: str, values: Float[Array, "..."], shape: tuple[int, ...]) -> Float[Array, "..."]:
    try:
        jnp.broadcast_shapes(values.shape, shape)
    except ValueError:
        raise RuntimeError(f"{name}: shape {tuple(values.shape)} does not broadcast to {tuple(shape)}") from None
    return values
