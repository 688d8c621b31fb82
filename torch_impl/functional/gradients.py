"""Values with another gradient than their own: what torch makes by writing where no gradient is recorded."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["straight_through", "scaled_gradient"]


def straight_through(value: Float[Tensor, "*S"], x: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """One array's value, whose gradient goes to another as if that had come out.

    Args:
        value: what comes out, exactly.
        x: what the gradient goes to; finite.

    Returns:
        value.

    Examples:
        >>> straight_through(array([2.0]), array([1.0])).tolist()
        [2.0]

    References:
        Y. Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons" (2013).
    """
    return value.detach() + (x - x.detach())


def scaled_gradient(x: Float[Tensor, "*S"], factor: Float[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """x, whose gradient is multiplied by a factor.

    Args:
        x: what comes out.
        factor: broadcast to x; 0 lets nothing through, NaN and infinities included.

    Returns:
        x.

    Examples:
        >>> scaled_gradient(array([2.0]), array([0.5])).tolist()
        [2.0]
    """
    return _Scaled.apply(x, factor)


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (factor,) = ctx.saved_tensors
        return torch.where(factor == 0, 0, cotangent * factor), None
