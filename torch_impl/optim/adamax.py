"""Adamax: Adam with the largest gradient of late in place of the root of the average square."""

from collections import namedtuple
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.optim.arguments import at_least, within_unit
from torch_impl.optim.lift import Optimizer, bias_correction, decayed, lift

__all__ = ["Adamax"]

AdamaxSlots = namedtuple("AdamaxSlots", ["step", "exp_avg", "exp_inf"])


def Adamax(
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Scale the running average of the gradient by a decaying maximum of its size.

    g = g + lambda p
    m = b1 m + (1 - b1) g,          u = max(b2 u, |g| + eps)
    p = p - lr / (1 - b1^t) m / u

    Slots: step, exp_avg (m), exp_inf (u).

    Args:
        lr: learning rate, at least 0.
        betas: b1 and b2, each in [0, 1).
        eps: added to the gradient's size, inside the maximum; at least 0.
        weight_decay: lambda, coupled, at least 0.
        maximize: climb instead.

    Returns:
        The optimizer. lr, betas, eps and weight_decay move.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = Adamax(lr=0.5, eps=0.0), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([-3.0])}, optimizer.init(params), params)
        >>> [round(u, 6) for u in updates["w"].tolist()], state.exp_inf["w"].tolist()
        ([0.5], [3.0])

    References:
        D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization" (2015), section 7.1.
    """
    at_least("Adamax", 0.0, lr=lr, eps=eps, weight_decay=weight_decay)
    within_unit("Adamax", betas=betas)

    def start(p: Float[Tensor, "..."]) -> AdamaxSlots:
        return AdamaxSlots(torch.zeros(()), torch.zeros_like(p), torch.zeros_like(p))

    moving: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    return lift("Adamax", AdamaxSlots, start, _adamax, maximize=maximize, **moving)


def _adamax(
    g: Float[Tensor, "..."],
    p: Float[Tensor, "..."],
    s: AdamaxSlots,
    *,
    lr: Any,
    betas: Any,
    eps: Any,
    weight_decay: Any,
) -> tuple[Float[Tensor, "..."], AdamaxSlots]:
    b1, b2 = betas
    g = decayed(g, p, weight_decay)
    t = s.step.add_(1).item()
    m = s.exp_avg.lerp_(g, 1 - b1)
    u = torch.maximum(s.exp_inf.mul_(b2), g.abs().add_(eps), out=s.exp_inf)
    return (m / u).mul_(-lr / bias_correction(b1, t)), s
