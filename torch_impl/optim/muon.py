"""Muon: a matrix's momentum made nearly orthogonal before the step."""

from collections import namedtuple
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.optim.arguments import at_least
from torch_impl.optim.lift import Optimizer, lift, shrinkage

__all__ = ["Muon", "orthogonalized"]

MuonSlots = namedtuple("MuonSlots", ["momentum_buffer"])


def Muon(
    lr: float = 1e-3,
    weight_decay: float = 0.1,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
    eps: float = 1e-7,
    ns_steps: int = 5,
    adjust_lr_fn: str | None = None,
) -> Optimizer:
    """Step along the orthogonal matrix nearest to the momentum, roughly.

    b = b + (1 - mu) (g - b)
    o = orthogonalized(b + (1 - mu) (g - b))    with Nesterov's look ahead; orthogonalized(b) without
    p = p - lr lambda p - lr c o,               c = sqrt(max(1, rows / columns)), or 0.2 sqrt(max(rows, columns))

    The iteration is in bfloat16, as torch's is whatever the parameter's dtype: see orthogonalized() for how far two
    machines may part there. Slots: momentum_buffer (b).

    Args:
        lr: learning rate, at least 0.
        weight_decay: lambda, decoupled, at least 0.
        momentum: mu, at least 0.
        nesterov: look one step ahead.
        ns_coefficients, eps, ns_steps: as in orthogonalized().
        adjust_lr_fn: "original" (or None) for the first c, "match_rms_adamw" for the second.

    Returns:
        The optimizer. lr, weight_decay and momentum move.

    Raises:
        ValueError: for a hyperparameter out of range, or by init for a parameter that is no real matrix: torch's advice
            is AdamW for the others.

    Examples:
        >>> optimizer, params = Muon(lr=0.5, weight_decay=0.5), {"w": array([[1.0]])}
        >>> updates, state = optimizer.update({"w": array([[3.0]])}, optimizer.init(params), params)
        >>> updates["w"].tolist(), round(float(state.momentum_buffer["w"][0, 0]), 6)
        ([[-0.59375]], 0.15)

    References:
        K. Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024); J. Liu et al., "Muon is Scalable
        for LLM Training" (2025), for match_rms_adamw.
    """
    at_least("Muon", 0.0, lr=lr, weight_decay=weight_decay, momentum=momentum)
    if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
        raise ValueError(f"Muon: adjust_lr_fn is {adjust_lr_fn!r}, wanted None, 'original' or 'match_rms_adamw'")
    _check_iteration(ns_coefficients, ns_steps)

    def start(p: Float[Tensor, "..."]) -> MuonSlots:
        if p.ndim != 2:
            raise ValueError(
                f"Muon: a parameter has shape {tuple(p.shape)}, wanted a matrix; give the others to AdamW, in a "
                "group of their own"
            )
        return MuonSlots(torch.zeros_like(p))

    rule = partial(
        _muon,
        nesterov=nesterov,
        iteration={"ns_coefficients": ns_coefficients, "ns_steps": ns_steps, "eps": eps},
        match_rms=adjust_lr_fn == "match_rms_adamw",
    )
    return lift("Muon", MuonSlots, start, rule, real=True, lr=lr, weight_decay=weight_decay, momentum=momentum)


def orthogonalized(
    x: Float[Tensor, "rows columns"],
    *,
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
    ns_steps: int = 5,
    eps: float = 1e-7,
) -> Float[Tensor, "rows columns"]:
    """Bring the singular values of a matrix near to one by a Newton-Schulz iteration in bfloat16.

    X = x / max(|x|, eps), transposed where it is tall
    A = X X^T,          X = a X + (b A + c A A) X           ns_steps times

    Each line rounds to bfloat16 where torch does: after the norm, the quotient, and each product with what is added to
    it; the products add up in float32. So two machines differ only where another order of addition tips a rounding.
    Measured on one CPU against torch: bit for bit up to 16 x 16, beyond (to 512 x 1024) by at most 0.6% of the norm,
    which is as far as torch is from the same iteration with exact sums.

    Args:
        x: a matrix, floating.
        ns_coefficients: a, b and c.
        ns_steps: iterations, at least 0 and below 100.
        eps: the smallest norm to divide by.

    Returns:
        A matrix of bfloat16 values, in float32.

    Raises:
        ValueError: for ns_steps or ns_coefficients out of range.

    Examples:
        >>> orthogonalized(array([[2.0, 0.0], [0.0, 2.0]])).tolist()
        [[1.125, 0.0], [0.0, 1.125]]

    References:
        K. Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024).
    """
    _check_iteration(ns_coefficients, ns_steps)
    a, b, c = ns_coefficients
    X = x.bfloat16()
    if x.shape[0] > x.shape[1]:
        X = X.T
    X = X / X.norm().clamp(min=eps)
    for _ in range(ns_steps):
        A = X @ X.T
        B = torch.addmm(A, A, A, beta=b, alpha=c)
        X = torch.addmm(X, B, X, beta=a)
    return (X.T if x.shape[0] > x.shape[1] else X).float()


def _muon(
    g: Float[Tensor, "rows columns"],
    p: Float[Tensor, "rows columns"],
    s: MuonSlots,
    *,
    lr: Any,
    weight_decay: Any,
    momentum: Any,
    nesterov: bool,
    iteration: dict[str, Any],
    match_rms: bool,
) -> tuple[Float[Tensor, "rows columns"], MuonSlots]:
    rows, columns = p.shape
    c = 0.2 * max(rows, columns) ** 0.5 if match_rms else max(1.0, rows / columns) ** 0.5
    buffer = s.momentum_buffer.lerp_(g, 1 - momentum)
    o = orthogonalized(buffer.lerp(g, 1 - momentum) if nesterov else buffer, **iteration)
    return shrinkage(p, lr * weight_decay).sub_(o, alpha=lr * c), s


def _check_iteration(ns_coefficients: tuple[float, float, float], ns_steps: int) -> None:
    if len(ns_coefficients) != 3:
        raise ValueError(f"Muon: ns_coefficients is {ns_coefficients}, wanted three numbers")
    if not 0 <= ns_steps < 100:
        raise ValueError(f"Muon: ns_steps is {ns_steps}, wanted at least 0 and below 100")
