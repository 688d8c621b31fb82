"""Layers of losses of yes and no."""

from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.losses.reduction import _Loss

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "SoftMarginLoss",
    "MultiLabelSoftMarginLoss",
]


class BCELoss(_Loss):
    """-(y log p + (1 - y) log(1 - p)), each logarithm at least -100.

    Args:
        weight: of each element, broadcast.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> round(float(BCELoss()(array([0.5]), array([1.0]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.BCELoss.
    """

    def __init__(
        self,
        weight: Float[Array, "..."] | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.binary_cross_entropy(input, target, self._values("weight")[0], reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """BCELoss of sigmoid(x), for x of any size.

    Args:
        weight: of each element, broadcast.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".
        pos_weight: of yes, broadcast.

    Examples:
        >>> round(float(BCEWithLogitsLoss()(array([0.0]), array([1.0]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.BCEWithLogitsLoss.
    """

    def __init__(
        self,
        weight: Float[Array, "..."] | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Float[Array, "..."] | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        weight, pos_weight = self._values("weight", "pos_weight")
        return F.binary_cross_entropy_with_logits(
            input, target, weight, reduction=self.reduction, pos_weight=pos_weight
        )


class SoftMarginLoss(_Loss):
    """log(1 + exp(-y x)), y -1 or 1.

    Args:
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> round(float(SoftMarginLoss()(array([0.0]), array([1.0]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.SoftMarginLoss.
    """

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_Loss):
    """The mean over classes of -(y log sigmoid(x) + (1 - y) log sigmoid(-x)).

    Args:
        weight: of each class, (C,).
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> round(float(MultiLabelSoftMarginLoss()(array([[0.0, 0.0]]), array([[1.0, 0.0]]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.MultiLabelSoftMarginLoss.
    """

    def __init__(
        self,
        weight: Float[Array, " C"] | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)

    def __call__(self, input: Float[Array, "*N C"], target: Float[Array, "*N C"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.multilabel_soft_margin_loss(input, target, self._values("weight")[0], reduction=self.reduction)
