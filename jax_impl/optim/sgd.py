"""Stochastic gradient descent, with momentum."""

from collections import namedtuple
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least
from jax_impl.optim.lift import Optimizer, decayed, lift

__all__ = ["SGD"]

SGDSlots = namedtuple("SGDSlots", ["momentum_buffer", "step"])


def SGD(
    lr: float = 1e-3,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Descend along the gradient, or along a running sum of gradients.

    g = g + lambda p                coupled weight decay, which so enters the buffer
    b = mu b + (1 - tau) g          momentum, dampened; b = g at a parameter's first step
    p = p - lr (g + mu b), or lr b, or lr g          with Nesterov's look ahead, with momentum, or with neither

    Slots: momentum_buffer where there is momentum; step where it is dampened too, to know the first step, which torch
    knows by the absence of a buffer (so step is no slot of torch's).

    Args:
        lr: learning rate, at least 0.
        momentum: mu, at least 0; 0 keeps no buffer.
        dampening: tau; without effect where there is no momentum.
        weight_decay: lambda, at least 0.
        nesterov: step along g + mu b rather than b; with momentum, without dampening.
        maximize: climb instead.

    Returns:
        The optimizer. lr and weight_decay move; momentum too where it is not 0, and dampening where neither is.

    Raises:
        ValueError: for a hyperparameter out of range, or nesterov without momentum or with dampening.

    Examples:
        >>> optimizer, params = SGD(lr=0.5, momentum=0.5), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([1.0])}, optimizer.init(params), params)
        >>> updates["w"].tolist(), state.momentum_buffer["w"].tolist()
        ([-0.5], [1.0])

    References:
        I. Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013); torch.optim.SGD
        says how its velocity differs from theirs.
    """
    at_least("SGD", 0.0, lr=lr, momentum=momentum, weight_decay=weight_decay)
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"SGD: nesterov needs momentum and no dampening, got momentum {momentum} and dampening {dampening}; give "
            "momentum=0.9, or drop nesterov"
        )
    moving: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}
    if momentum:
        moving["momentum"] = momentum
        if dampening:
            moving["dampening"] = dampening

    def start(p: Float[Array, "..."]) -> SGDSlots:
        # a buffer of zeros gives torch's first step, b = g, unless that step is dampened
        buffer = jnp.zeros_like(p) if momentum else None
        return SGDSlots(buffer, jnp.zeros((), jnp.float32) if momentum and dampening else None)

    return lift("SGD", SGDSlots, start, partial(_sgd, nesterov=nesterov), maximize=maximize, **moving)


def _sgd(
    g: Float[Array, "..."],
    p: Float[Array, "..."],
    s: SGDSlots,
    *,
    lr: Any,
    weight_decay: Any,
    momentum: Any = 0.0,
    dampening: Any = 0.0,
    nesterov: bool,
) -> tuple[Float[Array, "..."], SGDSlots]:
    g = decayed(g, p, weight_decay)
    if s.momentum_buffer is None:
        return -lr * g, s
    b = momentum * s.momentum_buffer + (1 - dampening) * g
    if s.step is not None:
        b = jnp.where(s.step == 0, g, b)
    d = g + momentum * b if nesterov else b
    return -lr * d, SGDSlots(b, None if s.step is None else s.step + 1)
