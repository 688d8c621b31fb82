"""RAdam: Adam that waits to divide by the average square until enough gradients are in it."""

from collections import namedtuple
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.optim.arguments import at_least, within_unit
from torch_impl.optim.lift import Optimizer, bias_correction, decayed, lift, shrinkage

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

    def start(p: Float[Tensor, "..."]) -> RAdamSlots:
        return RAdamSlots(torch.zeros(()), torch.zeros_like(p), torch.zeros_like(p))

    rule = partial(_radam, decoupled=decoupled_weight_decay)
    moving: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    return lift("RAdam", RAdamSlots, start, rule, maximize=maximize, **moving)


def _radam(
    g: Float[Tensor, "..."],
    p: Float[Tensor, "..."],
    s: RAdamSlots,
    *,
    lr: Any,
    betas: Any,
    eps: Any,
    weight_decay: Any,
    decoupled: bool,
) -> tuple[Float[Tensor, "..."], RAdamSlots]:
    b1, b2 = betas
    if not decoupled:
        g = decayed(g, p, weight_decay)
    t = s.step.add_(1).item()
    m, v = s.exp_avg.lerp_(g, 1 - b1), s.exp_avg_sq.mul_(b2).addcmul_(g, g, value=1 - b2)
    update = m * (-lr / bias_correction(b1, t))
    rho, limit = _averaged(b2, t), 2 / (1 - b2) - 1
    if rho > 5:
        r = ((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)) ** 0.5
        update.mul_(r * bias_correction(b2, t) ** 0.5).div_(v.sqrt().add_(eps))
    if decoupled:
        update.add_(shrinkage(p, lr * weight_decay))
    return update, s


def _averaged(b2: float, t: float) -> float:
    """The effective number of gradients in v, rho; the difference is taken in double precision, which can afford it."""
    return 2 / (1 - b2) - 1 - 2 * t * b2**t / bias_correction(b2, t)
