"""Negative log-likelihoods of a normal and of a Poisson distribution, and the divergence of two distributions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from jax_impl.functional.gradients import straight_through
from jax_impl.functional.losses.reduction import reduced, reduction_name

__all__ = ["gaussian_nll_loss", "poisson_nll_loss", "kl_div"]


def gaussian_nll_loss(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    var: Float[Array, "..."] | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """(log v + (x - y)^2 / v) / 2, the variance v at least eps.

    The gradient in var is that at max(v, eps), as if var had been that.

    Args:
        input: x, the means, any shape, floating.
        target: y, as input.
        var: v, as input, or input's shape without or with 1 for the last axis, or a number; not negative.
        full: whether to add log(2 pi) / 2.
        eps: the least variance.
        reduction: "none", "mean" or "sum".

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction, a variance of another shape, or one that is not being traced and negative.

    Examples:
        >>> float(gaussian_nll_loss(array([1.0]), array([3.0]), array([1.0])))
        2.0

    References:
        PyTorch, torch.nn.functional.gaussian_nll_loss; D. A. Nix and A. S. Weigend, "Estimating the mean and variance
        of the target probability distribution" (1994).
    """
    name = "gaussian_nll_loss"
    if isinstance(var, int | float):
        var = jnp.full_like(input, var)
    if not isinstance(var, jax.core.Tracer) and (np.asarray(var) < 0).any():
        raise ValueError(f"{name}: var has negative elements, wanted variances")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var[..., None]
        elif input.ndim != var.ndim or sum(m for n, m in zip(input.shape, var.shape, strict=True) if n != m) != 1:
            raise ValueError(
                f"{name}: var has shape {tuple(var.shape)} for input {tuple(input.shape)}, wanted that, "
                "or that without its last axis, or with a 1 in it"
            )
    v = straight_through(jnp.maximum(var, eps), var)
    loss = 0.5 * (jnp.log(v) + jnp.square(input - target) / v)
    return reduced(name, loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def poisson_nll_loss(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """exp(x) - y x of a rate's logarithm x, or x - y log(x + eps) of the rate.

    Args:
        input: x, any shape, floating.
        target: y, the counts, as input.
        log_input: whether x is the rate's logarithm.
        full: whether to add Stirling's y log y - y + log(2 pi y) / 2 where y > 1.
        size_average: deprecated.
        eps: keeps the logarithm finite.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction.

    Examples:
        >>> float(poisson_nll_loss(array([0.0]), array([2.0])))
        1.0

    References:
        PyTorch, torch.nn.functional.poisson_nll_loss.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    loss = jnp.exp(input) - target * input if log_input else input - target * jnp.log(input + eps)
    if full:
        # the gradient in a target of 0 is NaN, as torch's is
        stirling = target * jnp.log(target) - target + 0.5 * jnp.log(2 * math.pi * target)
        loss = loss + jnp.where(target > 1, stirling, 0)
    return reduced("poisson_nll_loss", loss, reduction)


def kl_div(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Float[Array, "..."]:
    """q (log q - x): the divergence of the distribution q from the one whose logarithm is x.

    Args:
        input: x, log-probabilities, any shape, floating.
        target: q, probabilities, 0 log 0 being 0; or log q. Shapes broadcast.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" (over every number), "batchmean" (over examples, the divergence itself) or "sum".
        log_target: whether target is log q.

    Returns:
        Of the shape that both broadcast to, or a scalar.

    Raises:
        ValueError: for another reduction.

    Examples:
        >>> float(kl_div(array([[-1.0, -1.0]]), array([[0.0, 0.0]]), reduction="batchmean", log_target=True))
        2.0

    References:
        PyTorch, torch.nn.functional.kl_div; S. Kullback and R. A. Leibler, "On Information and Sufficiency" (1951).
    """
    reduction = reduction_name(size_average, reduce, reduction)
    loss = (
        jnp.exp(target) * (target - input) if log_target else jax.scipy.special.xlogy(target, target) - target * input
    )
    if reduction == "batchmean":
        return loss.sum() / (input.shape[0] if input.ndim else 1)
    return reduced("kl_div", loss, reduction)
