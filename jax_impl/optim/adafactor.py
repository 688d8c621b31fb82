"""Adafactor: Adam's divisor kept as one row and one column for each matrix."""

from collections import namedtuple
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least
from jax_impl.optim.lift import Optimizer, lift, shrinkage

__all__ = ["Adafactor"]

AdafactorSlots = namedtuple("AdafactorSlots", ["step", "row_var", "col_var", "variance"])


def Adafactor(
    lr: float = 1e-2,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 1e-3),
    d: float = 1.0,
    weight_decay: float = 0.0,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Divide by the root of a squared gradient that is averaged along rows and columns, and clip the step's size.

    w = t^beta2_decay,      a = max(eps2, rms(p)) min(lr, 1 / sqrt(t))
    p = p - lr lambda p
    R = (1 - w) R + w mean_row(g^2),        C = (1 - w) C + w mean_col(g^2),        V = R C / max(mean(R), eps1)
    V = (1 - w) V + w g^2                                           where the parameter has fewer than two axes
    u = g / sqrt(max(V, eps1^2))
    p = p - a u / max(1, rms(u) / d)

    Rows and columns are those of the last two axes, so a kernel must have torch's layout (out, in, height, width):
    another layout is another optimizer. Slots: step; row_var (R, last axis 1) and col_var (C, last but one 1), or
    variance (V) for vectors and scalars.

    Args:
        lr: the largest relative step size, and the rate of the weight decay; at least 0.
        beta2_decay: the power by which the averages slow down, at most 0.
        eps: eps1, a floor for the divisor, None for the dtype's epsilon (float32's where the parameter has 16 bits);
            eps2, a floor for the parameter's size.
        d: the largest size of u, at least 1.
        weight_decay: lambda, decoupled, at least 0.
        maximize: climb instead.

    Returns:
        The optimizer. lr, beta2_decay, eps, d and weight_decay move.

    Raises:
        ValueError: for a hyperparameter out of range, or by init for a complex parameter.

    Examples:
        >>> optimizer, params = Adafactor(lr=0.5), {"w": array([[3.0, 4.0]])}
        >>> updates, state = optimizer.update({"w": array([[1.0, 1.0]])}, optimizer.init(params), params)
        >>> [round(u, 5) for u in updates["w"][0].tolist()], state.row_var["w"].tolist(), state.variance
        ([-1.76777, -1.76777], [[1.0]], None)

    References:
        N. Shazeer and M. Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost" (2018); torch.optim's
        page says how it differs from them.
    """
    at_least("Adafactor", 0.0, lr=lr, weight_decay=weight_decay, **{"eps[1]": eps[1]})
    at_least("Adafactor", 1.0, d=d)
    if eps[0] is not None:
        at_least("Adafactor", 0.0, **{"eps[0]": eps[0]})
    if not beta2_decay <= 0:
        raise ValueError(
            f"Adafactor: beta2_decay is {beta2_decay}, wanted at most 0, as torch.optim.Adafactor wants it"
        )

    def start(p: Float[Array, "..."]) -> AdafactorSlots:
        step = jnp.zeros((), jnp.float32)
        if p.ndim < 2:
            return AdafactorSlots(step, None, None, jnp.zeros_like(p))
        return AdafactorSlots(step, jnp.zeros_like(p[..., :1]), jnp.zeros_like(p[..., :1, :]), None)

    moving: dict[str, Any] = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay}
    return lift("Adafactor", AdafactorSlots, start, _adafactor, maximize=maximize, real=True, **moving)


def _adafactor(
    g: Float[Array, "..."],
    p: Float[Array, "..."],
    s: AdafactorSlots,
    *,
    lr: Any,
    beta2_decay: Any,
    eps: Any,
    d: Any,
    weight_decay: Any,
) -> tuple[Float[Array, "..."], AdafactorSlots]:
    eps1 = float(jnp.finfo(p.dtype).eps) if eps[0] is None else eps[0]
    t = (s.step + 1).astype(p.dtype)
    weight = t**beta2_decay
    size = jnp.maximum(eps[1], _rms(p)) * jnp.minimum(lr, 1 / jnp.sqrt(t))
    row, col, variance = s.row_var, s.col_var, s.variance
    if variance is None:
        row = row + weight * (jnp.mean(g * g, axis=-1, keepdims=True) - row)
        col = col + weight * (jnp.mean(g * g, axis=-2, keepdims=True) - col)
        estimate = row * col / jnp.maximum(jnp.mean(row, axis=-2, keepdims=True), eps1)
    else:
        estimate = variance = variance + weight * (g * g - variance)
    u = g * jax.lax.rsqrt(jnp.maximum(estimate, eps1 * eps1))
    update = shrinkage(p, lr * weight_decay) - size / jnp.maximum(1.0, _rms(u) / d) * u
    return update, AdafactorSlots(t, row, col, variance)


def _rms(x: Float[Array, "..."]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.sum(x * x)) / x.size**0.5
