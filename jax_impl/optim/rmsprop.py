"""RMSprop: the gradient scaled by the root of its average square."""

from collections import namedtuple
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least
from jax_impl.optim.lift import Optimizer, decayed, lift

__all__ = ["RMSprop"]

RMSpropSlots = namedtuple("RMSpropSlots", ["step", "square_avg", "momentum_buffer", "grad_avg"])


def RMSprop(
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0,
    momentum: float = 0,
    centered: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Divide the gradient by the root of a running average of its square, or of its variance.

    g = g + lambda p
    v = a v + (1 - a) g^2
    n = a n + (1 - a) g,            v' = v - n^2            centered; v' = v otherwise
    d = g / (sqrt(v') + eps)
    b = mu b + d                    momentum
    p = p - lr b                    or lr d, without momentum

    Slots: step, square_avg (v), with momentum momentum_buffer (b, in which there is no learning rate), centered
    grad_avg (n).

    Args:
        lr: learning rate, at least 0.
        alpha: a, at least 0.
        eps: added to the root, outside of it; at least 0.
        weight_decay: lambda, coupled, at least 0.
        momentum: mu, at least 0; 0 keeps no buffer.
        centered: divide by the standard deviation. Where the gradients hardly vary, v - n^2 may round to below zero and
            the step to NaN, in torch as here.
        maximize: climb instead.

    Returns:
        The optimizer. lr, alpha, eps and weight_decay move; momentum too where it is not 0.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = RMSprop(lr=0.5, alpha=0.75, eps=0.0), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([3.0])}, optimizer.init(params), params)
        >>> updates["w"].tolist(), state.square_avg["w"].tolist(), state.momentum_buffer
        ([-1.0], [2.25], None)

    References:
        T. Tieleman and G. Hinton, "Neural Networks for Machine Learning", lecture 6e (2012); A. Graves, "Generating
        Sequences With Recurrent Neural Networks" (2013), for the centered version.
    """
    at_least("RMSprop", 0.0, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
    moving: dict[str, Any] = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay}
    if momentum:
        moving["momentum"] = momentum

    def start(p: Float[Array, "..."]) -> RMSpropSlots:
        buffer, mean = (jnp.zeros_like(p) if kept else None for kept in (momentum, centered))
        return RMSpropSlots(jnp.zeros((), jnp.float32), jnp.zeros_like(p), buffer, mean)

    return lift("RMSprop", RMSpropSlots, start, _rmsprop, maximize=maximize, **moving)


def _rmsprop(
    g: Float[Array, "..."],
    p: Float[Array, "..."],
    s: RMSpropSlots,
    *,
    lr: Any,
    alpha: Any,
    eps: Any,
    weight_decay: Any,
    momentum: Any = 0.0,
) -> tuple[Float[Array, "..."], RMSpropSlots]:
    g = decayed(g, p, weight_decay)
    v = variance = alpha * s.square_avg + (1 - alpha) * g * g
    mean = s.grad_avg
    if mean is not None:
        mean = mean + (1 - alpha) * (g - mean)
        variance = v - mean * mean
    d = g / (jnp.sqrt(variance) + eps)
    buffer = None if s.momentum_buffer is None else momentum * s.momentum_buffer + d
    return -lr * (d if buffer is None else buffer), RMSpropSlots(s.step + 1, v, buffer, mean)
