"""Resilient backpropagation: a step size for each weight, led by the gradient's sign alone."""

from collections import namedtuple
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.optim.arguments import at_least
from torch_impl.optim.lift import Optimizer, lift

__all__ = ["Rprop"]

RpropSlots = namedtuple("RpropSlots", ["step", "prev", "step_size"])


def Rprop(
    lr: float = 1e-2,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-6, 50),
    *,
    maximize: bool = False,
) -> Optimizer:
    """Lengthen a weight's step while its gradient keeps its sign, shorten it where the sign changes.

    s = s eta+ where g g' > 0, s eta- where g g' < 0, s otherwise;          then s = min(max(s, smallest), largest)
    g = 0 where g g' < 0
    p = p - sign(g) s,                  g' = g

    Slots: step, prev (g'), step_size (s, at a parameter's first step lr).

    Args:
        lr: the first step size, at least 0.
        etas: eta- in (0, 1) and eta+ above 1.
        step_sizes: the smallest and the largest step size.
        maximize: climb instead.

    Returns:
        The optimizer. lr, etas and step_sizes move; lr is used at the first step alone, as in torch. A product g g'
        below the smallest normal number is zero under XLA, and in torch only below the smallest subnormal one.

    Raises:
        ValueError: for a hyperparameter out of range.

    Examples:
        >>> optimizer, params = Rprop(lr=0.5), {"w": array([1.0, 1.0])}
        >>> updates, state = optimizer.update({"w": array([3.0, -1e-9])}, optimizer.init(params), params)
        >>> updates["w"].tolist()
        [-0.5, 0.5]

    References:
        M. Riedmiller and H. Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm"
        (1993).
    """
    at_least("Rprop", 0.0, lr=lr)
    if not 0 < etas[0] < 1 < etas[1]:
        raise ValueError(
            f"Rprop: etas is {etas}, wanted one in (0, 1) and one above 1, as torch.optim.Rprop wants them"
        )

    def start(p: Float[Tensor, "..."]) -> RpropSlots:
        return RpropSlots(torch.zeros(()), torch.zeros_like(p), torch.full_like(p, float(lr)))

    return lift("Rprop", RpropSlots, start, _rprop, maximize=maximize, lr=lr, etas=etas, step_sizes=step_sizes)


def _rprop(
    g: Float[Tensor, "..."], p: Float[Tensor, "..."], s: RpropSlots, *, lr: Any, etas: Any, step_sizes: Any
) -> tuple[Float[Tensor, "..."], RpropSlots]:
    if s.step == 0:
        s.step_size.fill_(lr)  # an lr that moved before the first step is the first step size
    s.step.add_(1)
    factor = g.mul(s.prev).sign_()
    turned = factor < 0
    factor[factor > 0] = etas[1]
    factor[turned] = etas[0]
    factor[factor == 0] = 1
    s.step_size.mul_(factor).clamp_(*step_sizes)
    s.prev.copy_(g.masked_fill(turned, 0))
    return -s.prev.sign() * s.step_size, s
