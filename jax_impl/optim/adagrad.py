"""Adagrad: the gradient scaled by the root of the sum of all squares so far."""

from collections import namedtuple
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least
from jax_impl.optim.lift import Optimizer, decayed, lift

__all__ = ["Adagrad"]

AdagradSlots = namedtuple("AdagradSlots", ["step", "sum"])


def Adagrad(
    lr: float = 1e-2,
    lr_decay: float = 0,
    weight_decay: float = 0,
    initial_accumulator_value: float = 0,
    eps: float = 1e-10,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Divide the gradient by the root of the sum of its squares.

    g = g + lambda p
    S = S + g^2
    p = p - lr / (1 + (t - 1) eta) g / (sqrt(S) + eps)

    Slots: step, sum (S).

    Args:
        lr: learning rate, at least 0.
        lr_decay: eta, at least 0.
        weight_decay: lambda, coupled, at least 0.
        initial_accumulator_value: S before the first step, at least 0; optax begins with 0.1.
        eps: added to the root, outside of it; at least 0.
        maximize: climb instead.

    Returns:
        The optimizer. lr, lr_decay, weight_decay and eps move.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = Adagrad(lr=0.5, initial_accumulator_value=7.0, eps=0.0), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([3.0])}, optimizer.init(params), params)
        >>> updates["w"].tolist(), state.sum["w"].tolist()
        ([-0.375], [16.0])

    References:
        J. Duchi, E. Hazan and Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization"
        (2011).
    """
    at_least("Adagrad", 0.0, lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps)
    at_least("Adagrad", 0.0, initial_accumulator_value=initial_accumulator_value)

    def start(p: Float[Array, "..."]) -> AdagradSlots:
        return AdagradSlots(jnp.zeros((), jnp.float32), jnp.full_like(p, initial_accumulator_value))

    moving: dict[str, Any] = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
    return lift("Adagrad", AdagradSlots, start, _adagrad, maximize=maximize, **moving)


def _adagrad(
    g: Float[Array, "..."],
    p: Float[Array, "..."],
    s: AdagradSlots,
    *,
    lr: Any,
    lr_decay: Any,
    weight_decay: Any,
    eps: Any,
) -> tuple[Float[Array, "..."], AdagradSlots]:
    g = decayed(g, p, weight_decay)
    t = (s.step + 1).astype(p.dtype)
    total = s.sum + g * g
    return -lr / (1 + (t - 1) * lr_decay) * g / (jnp.sqrt(total) + eps), AdagradSlots(t, total)
