"""Adadelta: the gradient turned into the parameter's own units by the size of past steps."""

from collections import namedtuple
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least
from jax_impl.optim.lift import Optimizer, decayed, lift

__all__ = ["Adadelta"]

AdadeltaSlots = namedtuple("AdadeltaSlots", ["step", "square_avg", "acc_delta"])


def Adadelta(
    lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0, *, maximize: bool = False
) -> Optimizer:
    """Scale the gradient by the ratio of two roots: of the average square of the steps, and of the gradients.

    g = g + lambda p
    v = rho v + (1 - rho) g^2
    d = sqrt(u + eps) / sqrt(v + eps) g
    u = rho u + (1 - rho) d^2
    p = p - lr d

    Slots: step, square_avg (v), acc_delta (u).

    Args:
        lr: learning rate, at least 0. The default is 1; optax.adadelta's is None, with which it climbs.
        rho: the averages' decay rate, in [0, 1].
        eps: added to both averages, inside the roots; at least 0.
        weight_decay: lambda, coupled, at least 0.
        maximize: climb instead.

    Returns:
        The optimizer. lr, rho, eps and weight_decay move.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = Adadelta(rho=0.0, eps=1.0), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([0.0])}, optimizer.init(params), params)
        >>> updates["w"].tolist(), state.acc_delta["w"].tolist()
        ([-0.0], [0.0])

    References:
        M. D. Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012).
    """
    at_least("Adadelta", 0.0, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
    if rho > 1:
        raise ValueError(f"Adadelta: rho is {rho}, wanted at most 1, as torch.optim.Adadelta wants it")

    def start(p: Float[Array, "..."]) -> AdadeltaSlots:
        return AdadeltaSlots(jnp.zeros((), jnp.float32), jnp.zeros_like(p), jnp.zeros_like(p))

    moving: dict[str, Any] = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay}
    return lift("Adadelta", AdadeltaSlots, start, _adadelta, maximize=maximize, **moving)


def _adadelta(
    g: Float[Array, "..."],
    p: Float[Array, "..."],
    s: AdadeltaSlots,
    *,
    lr: Any,
    rho: Any,
    eps: Any,
    weight_decay: Any,
) -> tuple[Float[Array, "..."], AdadeltaSlots]:
    g = decayed(g, p, weight_decay)
    v = rho * s.square_avg + (1 - rho) * g * g
    d = jnp.sqrt(s.acc_delta + eps) / jnp.sqrt(v + eps) * g
    return -lr * d, AdadeltaSlots(s.step + 1, v, rho * s.acc_delta + (1 - rho) * d * d)
