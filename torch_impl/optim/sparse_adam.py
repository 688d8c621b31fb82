"""SparseAdam: Adam that passes over the rows that have no gradient."""

from collections import namedtuple
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.optim.arguments import at_least, within_unit
from torch_impl.optim.lift import Optimizer, bias_correction, lift

__all__ = ["SparseAdam"]

SparseAdamSlots = namedtuple("SparseAdamSlots", ["step", "exp_avg", "exp_avg_sq"])


def SparseAdam(
    lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, maximize: bool = False
) -> Optimizer:
    """Adam's step for the rows with a gradient; the others keep their averages and their values.

    m = b1 m + (1 - b1) g,          v = b2 v + (1 - b2) g^2                 in rows where g is not all zero
    p = p - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)              in those rows

    torch.optim.SparseAdam takes sparse gradients and steps the rows that they list. Here gradients are dense, and a row
    (an index of the first axis; the whole of a scalar) counts as listed where any of it is not zero. So a row that is
    listed with zeros for a gradient, which torch steps, is passed over. Steps are counted for the parameter, whichever
    rows take part, as in torch.

    Slots: step, exp_avg (m), exp_avg_sq (v).

    Args:
        lr: learning rate, above 0.
        betas: b1 and b2, each in [0, 1).
        eps: added to the root of v before its bias is corrected; above 0.
        maximize: climb instead.

    Returns:
        The optimizer. lr, betas and eps move.

    Raises:
        ValueError: for a hyperparameter out of range, or by init for a complex parameter.

    Examples:
        >>> optimizer, params = SparseAdam(lr=0.5), {"w": array([[1.0], [1.0]])}
        >>> updates, state = optimizer.update({"w": array([[3.0], [0.0]])}, optimizer.init(params), params)
        >>> [round(float(row[0]), 6) for row in updates["w"]]
        [-0.5, 0.0]

    References:
        PyTorch, torch.optim.SparseAdam.
    """
    at_least("SparseAdam", 0.0, lr=lr, eps=eps)
    within_unit("SparseAdam", betas=betas)
    if lr == 0 or eps == 0:
        raise ValueError(
            f"SparseAdam: lr is {lr} and eps {eps}, wanted both above 0, as torch.optim.SparseAdam wants them"
        )

    def start(p: Float[Tensor, "..."]) -> SparseAdamSlots:
        return SparseAdamSlots(torch.zeros(()), torch.zeros_like(p), torch.zeros_like(p))

    return lift(
        "SparseAdam", SparseAdamSlots, start, _sparse_adam, maximize=maximize, real=True, lr=lr, betas=betas, eps=eps
    )


def _sparse_adam(
    g: Float[Tensor, "..."], p: Float[Tensor, "..."], s: SparseAdamSlots, *, lr: Any, betas: Any, eps: Any
) -> tuple[Float[Tensor, "..."], SparseAdamSlots]:
    b1, b2 = betas
    t = s.step.add_(1).item()
    update = torch.zeros_like(p)
    if p.ndim == 0:
        rows, g, m, v = update.view(1), g.view(1), s.exp_avg.view(1), s.exp_avg_sq.view(1)
    else:
        rows, m, v = update, s.exp_avg, s.exp_avg_sq
    listed = (g != 0).flatten(1).any(1) if g.ndim > 1 else g != 0
    m[listed] = numerator = m[listed].lerp_(g[listed], 1 - b1)
    v[listed] = square = v[listed].lerp_(g[listed].square_(), 1 - b2)
    rate = lr * bias_correction(b2, t) ** 0.5 / bias_correction(b1, t)
    rows[listed] = -rate * (numerator / square.sqrt().add_(eps))
    return update, s
