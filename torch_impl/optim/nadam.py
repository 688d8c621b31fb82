"""NAdam: Adam with Nesterov's look ahead and a momentum that warms up."""

from collections import namedtuple
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.optim.arguments import at_least, within_unit
from torch_impl.optim.lift import Optimizer, bias_correction, decayed, lift, shrinkage

__all__ = ["NAdam"]

NAdamSlots = namedtuple("NAdamSlots", ["step", "mu_product", "exp_avg", "exp_avg_sq"])


def NAdam(
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    *,
    maximize: bool = False,
) -> Optimizer:
    """Adam's step with the coming step's momentum already in it.

    mu_t = b1 (1 - 0.96^(t psi) / 2),           M_t = mu_1 ... mu_t
    g = g + lambda p                            or, decoupled, p = p - lr lambda p
    m = b1 m + (1 - b1) g,                      v = b2 v + (1 - b2) g^2
    d = (1 - mu_t) / (1 - M_t) g + mu_(t+1) / (1 - M_(t+1)) m
    p = p - lr d / (sqrt(v / (1 - b2^t)) + eps)

    Slots: step, mu_product (M, which torch keeps in float32 whatever the parameter's dtype), exp_avg (m),
    exp_avg_sq (v).

    Args:
        lr: learning rate, at least 0.
        betas: b1 and b2, each in [0, 1).
        eps: added to the root, outside of it; at least 0.
        weight_decay: lambda, at least 0.
        momentum_decay: psi, how fast the momentum warms up, at least 0.
        decoupled_weight_decay: shrink the parameter itself, as AdamW does.
        maximize: climb instead.

    Returns:
        The optimizer. lr, betas, eps, weight_decay and momentum_decay move.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = NAdam(lr=0.5, betas=(0.5, 0.5), eps=0.0, momentum_decay=0.0), {"w": array([1.0])}
        >>> updates, state = optimizer.update({"w": array([3.0])}, optimizer.init(params), params)
        >>> [round(u, 6) for u in updates["w"].tolist()], float(state.mu_product["w"])
        ([-0.566667], 0.25)

    References:
        T. Dozat, "Incorporating Nesterov Momentum into Adam" (2016).
    """
    at_least("NAdam", 0.0, lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
    within_unit("NAdam", betas=betas)

    def start(p: Float[Tensor, "..."]) -> NAdamSlots:
        return NAdamSlots(torch.zeros(()), torch.ones(()), torch.zeros_like(p), torch.zeros_like(p))

    rule = partial(_nadam, decoupled=decoupled_weight_decay)
    moving: dict[str, Any] = {
        "lr": lr,
        "betas": betas,
        "eps": eps,
        "weight_decay": weight_decay,
        "momentum_decay": momentum_decay,
    }
    return lift("NAdam", NAdamSlots, start, rule, maximize=maximize, **moving)


def _nadam(
    g: Float[Tensor, "..."],
    p: Float[Tensor, "..."],
    s: NAdamSlots,
    *,
    lr: Any,
    betas: Any,
    eps: Any,
    weight_decay: Any,
    momentum_decay: Any,
    decoupled: bool,
) -> tuple[Float[Tensor, "..."], NAdamSlots]:
    b1, b2 = betas
    if not decoupled:
        g = decayed(g, p, weight_decay)
    t = s.step.add_(1).item()
    mu, coming = (b1 * (1 - 0.5 * 0.96 ** (n * momentum_decay)) for n in (t, t + 1))
    product = s.mu_product.mul_(mu).item()
    m, v = s.exp_avg.lerp_(g, 1 - b1), s.exp_avg_sq.mul_(b2).addcmul_(g, g, value=1 - b2)
    d = g * ((1 - mu) / (1 - product)) + m * (coming / (1 - product * coming))
    update = d.div_((v / bias_correction(b2, t)).sqrt_().add_(eps)).mul_(-lr)
    if decoupled:
        update.add_(shrinkage(p, lr * weight_decay))
    return update, s
