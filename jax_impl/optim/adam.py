"""Adam and AdamW: steps scaled by running averages of the gradient and of its square."""

from collections import namedtuple
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least, within_unit
from jax_impl.optim.lift import Optimizer, bias_correction, decayed, lift, shrinkage

__all__ = ["Adam", "AdamW"]

AdamSlots = namedtuple("AdamSlots", ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"])


def Adam(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> Optimizer:
    """Scale the running average of the gradient by the root of that of its square.

    g = g + lambda p                coupled weight decay
    m = b1 m + (1 - b1) g,          v = b2 v + (1 - b2) g^2
    p = p - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)

    With amsgrad, the largest v so far takes v's place in the last line: the largest of the raw averages, which is
    corrected for its bias afterwards. Decoupled, the decay is AdamW's.

    Slots: step, exp_avg (m), exp_avg_sq (v), and with amsgrad max_exp_avg_sq.

    Args:
        lr: learning rate, at least 0.
        betas: b1 and b2, each in [0, 1).
        eps: added to the root, outside of it; at least 0.
        weight_decay: lambda, at least 0.
        amsgrad: divide by the largest average of squares so far.
        maximize: climb instead.
        decoupled_weight_decay: shrink the parameter itself, as AdamW does.

    Returns:
        The optimizer. lr, betas, eps and weight_decay move. A beta that moves is rounded to the parameters' dtype, and
        1 - b2 with it, 1e-5 of itself in float32 at 0.999: give those that stay as plain numbers.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = Adam(lr=0.5, eps=0.0), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([3.0])}, optimizer.init(params), params)
        >>> [round(u, 6) for u in updates["w"].tolist()], float(state.step["w"])
        ([-0.5], 1.0)

    References:
        D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization" (2015); S. J. Reddi, S. Kale and S. Kumar,
        "On the Convergence of Adam and Beyond" (2018), for amsgrad.
    """
    return _make("Adam", lr, betas, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay)


def AdamW(
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay, which enters neither average.

    p = p - lr lambda p             then Adam's step, without decay in g

    Slots: Adam's.

    Args:
        lr, betas, eps, amsgrad, maximize: as Adam's.
        weight_decay: lambda, at least 0; 0.01, a hundred times optax's default.

    Returns:
        The optimizer. lr, betas, eps and weight_decay move, as Adam's.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = AdamW(lr=0.5, weight_decay=0.5, eps=0.0), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([3.0])}, optimizer.init(params), params)
        >>> [round(u, 6) for u in updates["w"].tolist()]
        [-0.75]

    References:
        I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization" (2019).
    """
    return _make("AdamW", lr, betas, eps, weight_decay, amsgrad, maximize, True)


def _make(
    name: str,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    maximize: bool,
    decoupled: bool,
) -> Optimizer:
    at_least(name, 0.0, lr=lr, eps=eps, weight_decay=weight_decay)
    within_unit(name, betas=betas)

    def start(p: Float[Array, "..."]) -> AdamSlots:
        m, v, top = jnp.zeros_like(p), jnp.zeros_like(p), jnp.zeros_like(p) if amsgrad else None
        return AdamSlots(jnp.zeros((), jnp.float32), m, v, top)

    rule = partial(_adam, decoupled=decoupled)
    moving: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    return lift(name, AdamSlots, start, rule, maximize=maximize, **moving)


def _adam(
    g: Float[Array, "..."],
    p: Float[Array, "..."],
    s: AdamSlots,
    *,
    lr: Any,
    betas: Any,
    eps: Any,
    weight_decay: Any,
    decoupled: bool,
) -> tuple[Float[Array, "..."], AdamSlots]:
    b1, b2 = betas
    t = (s.step + 1).astype(p.dtype)
    if not decoupled:
        g = decayed(g, p, weight_decay)
    m = s.exp_avg + (1 - b1) * (g - s.exp_avg)
    v = b2 * s.exp_avg_sq + (1 - b2) * g * g
    top = None if s.max_exp_avg_sq is None else jnp.maximum(s.max_exp_avg_sq, v)
    root = jnp.sqrt(v if top is None else top) / jnp.sqrt(bias_correction(b2, t))
    update = -lr / bias_correction(b1, t) * m / (root + eps)
    if decoupled:
        update = update + shrinkage(p, lr * weight_decay)
    return update, AdamSlots(t, m, v, top)
