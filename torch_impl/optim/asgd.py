"""Averaged stochastic gradient descent: descent by shrinking steps, and the average of where it has been."""

from collections import namedtuple
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.optim.arguments import at_least
from torch_impl.optim.lift import Optimizer, decayed, lift, shrinkage

__all__ = ["ASGD"]

ASGDSlots = namedtuple("ASGDSlots", ["step", "eta", "mu", "ax"])


def ASGD(
    lr: float = 1e-2,
    lambd: float = 1e-4,
    alpha: float = 0.75,
    t0: float = 1e6,
    weight_decay: float = 0,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Descend with a decaying step size, and average the parameters from step t0 on.

    g = g + weight_decay p
    p = p - eta (lambd p + g)
    a = a + mu (p - a)                                      the average; a = p while mu is 1
    eta = lr / (1 + lambd lr t)^alpha,      mu = 1 / max(1, t - t0)

    Slots: step, eta and mu (which torch keeps in float32 whatever the parameter's dtype), ax (a). At a parameter's
    first step eta is lr. What ASGD is for is ax: it, not the parameter, is the result.

    Args:
        lr: learning rate, at least 0.
        lambd: the decay of the parameters and of the step size.
        alpha: the power by which the step size decays.
        t0: the step from which on to average.
        weight_decay: coupled, at least 0.
        maximize: climb instead.

    Returns:
        The optimizer. lr, lambd, alpha, t0 and weight_decay move; lr from the step after, as in torch.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = ASGD(lr=0.5, lambd=0.0), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([1.0])}, optimizer.init(params), params)
        >>> updates["w"].tolist(), state.ax["w"].tolist()
        ([-0.5], [0.5])

    References:
        B. T. Polyak and A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging" (1992).
    """
    at_least("ASGD", 0.0, lr=lr, weight_decay=weight_decay)

    def start(p: Float[Tensor, "..."]) -> ASGDSlots:
        return ASGDSlots(torch.zeros(()), torch.tensor(float(lr)), torch.ones(()), torch.zeros_like(p))

    moving: dict[str, Any] = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay}
    return lift("ASGD", ASGDSlots, start, _asgd, maximize=maximize, **moving)


def _asgd(
    g: Float[Tensor, "..."],
    p: Float[Tensor, "..."],
    s: ASGDSlots,
    *,
    lr: Any,
    lambd: Any,
    alpha: Any,
    t0: Any,
    weight_decay: Any,
) -> tuple[Float[Tensor, "..."], ASGDSlots]:
    g = decayed(g, p, weight_decay)
    t = s.step.add_(1).item()
    if t == 1:
        s.eta.fill_(lr)  # an lr that moved before the first step is the first eta
    eta, mu = s.eta.item(), s.mu.item()
    update = shrinkage(p, lambd * eta).sub_(g, alpha=eta)
    after = p + update
    if mu == 1:
        s.ax.copy_(after)
    else:
        s.ax.add_(after.sub_(s.ax), alpha=mu)
    s.eta.fill_(lr / (1 + lambd * lr * t) ** alpha)
    s.mu.fill_(1 / max(1.0, t - t0))
    return update, s
