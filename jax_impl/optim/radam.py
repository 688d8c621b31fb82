"""RAdam: Adam that waits to divide by the average square until enough gradients are in it."""

import math
from collections import namedtuple
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least, within_unit
from jax_impl.optim.lift import Optimizer, bias_correction, decayed, lift, shrinkage

__all__ = ["RAdam"]

RAdamSlots = namedtuple("RAdamSlots", ["step", "exp_avg", "exp_avg_sq"])


def RAdam(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    decoupled_weight_decay: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Adam's step, rectified for the variance that its divisor has while few gradients are in it.

    g = g + lambda p                            or, decoupled, p = p - lr lambda p
    m = b1 m + (1 - b1) g,                      v = b2 v + (1 - b2) g^2
    rho = R - 2 t b2^t / (1 - b2^t),            R = 2 / (1 - b2) - 1
    r = sqrt((rho - 4) (rho - 2) R / ((R - 4) (R - 2) rho))
    p = p - lr m / (1 - b1^t) r sqrt(1 - b2^t) / (sqrt(v) + eps)          where rho > 5
    p = p - lr m / (1 - b1^t)                                            before

    Slots: step, exp_avg (m), exp_avg_sq (v).

    Args:
        lr: learning rate, at least 0.
        betas: b1 and b2, each in [0, 1).
        eps: added to the root of v before its bias is corrected; at least 0.
        weight_decay: lambda, at least 0.
        decoupled_weight_decay: shrink the parameter itself, as AdamW does.
        maximize: climb instead.

    Returns:
        The optimizer. lr, betas, eps and weight_decay move.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = RAdam(lr=0.5), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([3.0])}, optimizer.init(params), params)
        >>> [round(u, 6) for u in updates["w"].tolist()]
        [-1.5]

    References:
        L. Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond" (2020).
    """
    at_least("RAdam", 0.0, lr=lr, eps=eps, weight_decay=weight_decay)
    within_unit("RAdam", betas=betas)

    def start(p: Float[Array, "..."]) -> RAdamSlots:
        return RAdamSlots(jnp.zeros((), jnp.float32), jnp.zeros_like(p), jnp.zeros_like(p))

    rule = partial(_radam, decoupled=decoupled_weight_decay)
    moving: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    return lift("RAdam", RAdamSlots, start, rule, maximize=maximize, **moving)


def _radam(
    g: Float[Array, "..."],
    p: Float[Array, "..."],
    s: RAdamSlots,
    *,
    lr: Any,
    betas: Any,
    eps: Any,
    weight_decay: Any,
    decoupled: bool,
) -> tuple[Float[Array, "..."], RAdamSlots]:
    b1, b2 = betas
    if not decoupled:
        g = decayed(g, p, weight_decay)
    t = (s.step + 1).astype(p.dtype)
    m = s.exp_avg + (1 - b1) * (g - s.exp_avg)
    v = b2 * s.exp_avg_sq + (1 - b2) * g * g
    rho, limit = _averaged(b2, t), 2 / (1 - b2) - 1
    ready = rho > 5
    r = jnp.sqrt((rho - 4) * (rho - 2) / rho * (limit / ((limit - 4) * (limit - 2))))
    scale = jnp.where(ready, r * jnp.sqrt(bias_correction(b2, t)), 1.0)
    update = -lr / bias_correction(b1, t) * scale * m / jnp.where(ready, jnp.sqrt(v) + eps, 1.0)
    if decoupled:
        update = update + shrinkage(p, lr * weight_decay)
    return update, RAdamSlots(t, m, v)


def _averaged(b2: Any, t: Float[Array, ""]) -> Float[Array, ""]:
    """The effective number of gradients in v, rho, without cancellation.

    R - 2 t b2^t / (1 - b2^t) subtracts two numbers of some 2000 to find one of about t. With L = -log b2 and
    c(y) = y coth(y) - 1 it is t + 2/L (c(L/2) - c(t L/2)), where what is left to subtract is small.
    """
    rate = (-math.log(b2) if b2 else math.inf) if isinstance(b2, float) else -jnp.log(b2)
    return t + 2 / rate * (_excess(jnp.asarray(rate / 2, t.dtype)) - _excess(t * rate / 2))


def _excess(y: Float[Array, ""]) -> Float[Array, ""]:
    """y coth(y) - 1, by its series where the difference would cancel; there the first term left out is 1e-13 of it."""
    z = jnp.minimum(y, 0.25) ** 2
    series = jnp.zeros_like(y)
    for coefficient in (-1382 / 638512875, 2 / 93555, -1 / 4725, 2 / 945, -1 / 45, 1 / 3):
        series = z * (coefficient + series)
    return jnp.where(y < 0.25, series, y / jnp.tanh(y) - 1)
