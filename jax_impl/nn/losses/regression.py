"""Layers of losses of numbers against numbers."""

from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.losses.reduction import _Loss

__all__ = [
    "L1Loss",
    "MSELoss",
    "SmoothL1Loss",
    "HuberLoss",
]


class L1Loss(_Loss):
    """|x - y|.

    Args:
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(L1Loss()(array([1.0, 3.0]), array([0.0, 0.0])))
        2.0

    References:
        PyTorch, torch.nn.L1Loss.
    """

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """(x - y)^2, not halved.

    Args:
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(MSELoss()(array([1.0, 3.0]), array([0.0, 0.0])))
        5.0

    References:
        PyTorch, torch.nn.MSELoss.
    """

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """d^2 / (2 beta) where |d| < beta, |d| - beta/2 elsewhere, d = x - y.

    Args:
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".
        beta: where the parabola ends, at least 0.

    Examples:
        >>> float(SmoothL1Loss()(array([3.0]), array([0.0])))
        2.5

    References:
        PyTorch, torch.nn.SmoothL1Loss.
    """

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """d^2 / 2 where |d| <= delta, delta (|d| - delta/2) elsewhere, d = x - y.

    Args:
        reduction: "none", "mean" or "sum".
        delta: where the parabola ends, positive.

    Raises:
        TypeError: where delta is no real number.

    Examples:
        >>> float(HuberLoss(delta=2.0)(array([3.0]), array([0.0])))
        4.0

    References:
        PyTorch, torch.nn.HuberLoss.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        if not isinstance(delta, float | int):
            raise TypeError(f"HuberLoss: delta is {delta!r}, wanted a number")
        super().__init__(reduction=reduction)
        self.delta = delta

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.huber_loss(input, target, self.reduction, self.delta)
