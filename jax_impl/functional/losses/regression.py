"""Losses of numbers against numbers: absolute, squared, and squared in the middle of absolute."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.functional.arguments import broadcast
from jax_impl.functional.losses.reduction import reduced, reduction_name

__all__ = ["l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss"]


def l1_loss(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Float[Array, "*S"] | None = None,
) -> Float[Array, "..."]:
    """|x - y|, of slope 0 where x = y.

    Args:
        input: x, any shape, floating.
        target: y, as input; other shapes broadcast, with a warning.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum". A weighted mean divides by the sum of the weights.
        weight: of each element, as input.

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction, or a weight of another shape.
        RuntimeError: where the shapes do not broadcast.

    Examples:
        >>> float(l1_loss(array([1.0, 3.0]), array([0.0, 0.0])))
        2.0

    References:
        PyTorch, torch.nn.functional.l1_loss.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    input, target = broadcast("l1_loss", input=input, target=target)
    return _weighted("l1_loss", _absolute(input - target), weight, reduction)


def mse_loss(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Float[Array, "*S"] | None = None,
) -> Float[Array, "..."]:
    """(x - y)^2, not halved; its mean goes over every number. By hand it stands in the pair `losses`.

    Args:
        input: x, any shape, floating.
        target: y, as input; other shapes broadcast, with a warning.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum". A weighted mean divides by the sum of the weights.
        weight: of each element, as input.

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction, or a weight of another shape.
        RuntimeError: where the shapes do not broadcast.

    Examples:
        >>> float(mse_loss(array([1.0, 3.0]), array([0.0, 0.0])))
        5.0

    References:
        PyTorch, torch.nn.functional.mse_loss.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    input, target = broadcast("mse_loss", input=input, target=target)
    return _weighted("mse_loss", jnp.square(input - target), weight, reduction)


def smooth_l1_loss(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Float[Array, "..."]:
    """d^2 / (2 beta) where |d| < beta, |d| - beta/2 elsewhere, d = x - y.

    Args:
        input: x, any shape, floating.
        target: y, as input; other shapes broadcast, with a warning.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".
        beta: where the parabola ends, at least 0; with 0 the loss is l1_loss.

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction.
        RuntimeError: where beta is negative, or the shapes do not broadcast.

    Examples:
        >>> smooth_l1_loss(array([0.5, 3.0]), array([0.0, 0.0]), reduction="none").tolist()
        [0.125, 2.5]

    References:
        PyTorch, torch.nn.functional.smooth_l1_loss; R. Girshick, "Fast R-CNN" (2015), equation 3.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta is {beta}, wanted at least 0")
    input, target = broadcast("smooth_l1_loss", input=input, target=target)
    size = _absolute(input - target)
    if beta == 0:
        return reduced("smooth_l1_loss", size, reduction)
    return reduced("smooth_l1_loss", jnp.where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta), reduction)


def huber_loss(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Float[Array, "*S"] | None = None,
) -> Float[Array, "..."]:
    """d^2 / 2 where |d| <= delta, delta (|d| - delta/2) elsewhere, d = x - y: delta times smooth_l1_loss.

    Args:
        input: x, any shape, floating.
        target: y, as input; other shapes broadcast, with a warning.
        reduction: "none", "mean" or "sum". A weighted mean divides by the number of elements, unlike l1_loss's.
        delta: where the parabola ends, positive.
        weight: of each element, as input.

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction, or a weight of another shape.
        RuntimeError: where delta is not positive, or the shapes do not broadcast.

    Examples:
        >>> huber_loss(array([0.5, 3.0]), array([0.0, 0.0]), "none", 2.0).tolist()
        [0.125, 4.0]

    References:
        PyTorch, torch.nn.functional.huber_loss; P. J. Huber, "Robust Estimation of a Location Parameter" (1964).
    """
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta is {delta}, wanted a positive number")
    shape = input.shape
    input, target = broadcast("huber_loss", input=input, target=target)
    size = _absolute(input - target)
    loss = jnp.where(size <= delta, 0.5 * size * size, delta * (size - 0.5 * delta))
    if weight is not None:
        loss = loss * _checked("huber_loss", weight, shape)
    return reduced("huber_loss", loss, reduction)


def _weighted(
    name: str, loss: Float[Array, "*S"], weight: Float[Array, "*S"] | None, reduction: str
) -> Float[Array, "..."]:
    if weight is None:
        return reduced(name, loss, reduction)
    loss = loss * _checked(name, weight, loss.shape)
    return loss.sum() / weight.sum() if reduction == "mean" else reduced(name, loss, reduction)


def _checked(name: str, weight: Float[Array, "*S"], shape: tuple[int, ...]) -> Float[Array, "*S"]:
    if weight.shape != shape:
        raise ValueError(f"{name}: weight has shape {tuple(weight.shape)}, wanted input's {tuple(shape)}")
    return weight


def _absolute(x: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """|x| of slope 0 at 0, as torch has it; JAX takes the slope to the right there."""
    return x * jax.lax.stop_gradient(jnp.sign(x))
