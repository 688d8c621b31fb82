"""Layers of margin losses: of classes, of pairs and of triplets."""

from collections.abc import Callable

from jax import Array
from jaxtyping import Float, Int

from jax_impl import functional as F
from jax_impl.nn.distance import PairwiseDistance
from jax_impl.nn.losses.reduction import _Loss

__all__ = [
    "HingeEmbeddingLoss",
    "MarginRankingLoss",
    "CosineEmbeddingLoss",
    "MultiMarginLoss",
    "MultiLabelMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class HingeEmbeddingLoss(_Loss):
    """x where y is 1, max(0, margin - x) where y is -1; x is a distance.

    Args:
        margin: the distance that is far enough.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(HingeEmbeddingLoss()(array([0.25]), array([-1.0])))
        0.75

    References:
        PyTorch, torch.nn.HingeEmbeddingLoss.
    """

    def __init__(
        self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(_Loss):
    """max(0, -y (x1 - x2) + margin), y -1 or 1.

    Args:
        margin: by how much.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(MarginRankingLoss()(array([1.0]), array([3.0]), array([1.0])))
        2.0

    References:
        PyTorch, torch.nn.MarginRankingLoss.
    """

    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def __call__(
        self, input1: Float[Array, "*S"], input2: Float[Array, "*S"], target: Float[Array, "*S"]
    ) -> Float[Array, "..."]:
        """The loss of two scores and which of them should be the greater."""
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_Loss):
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where y is -1.

    Args:
        margin: the cosine that is small enough.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(CosineEmbeddingLoss()(array([[1.0, 0.0]]), array([[0.0, 2.0]]), array([1])))
        1.0

    References:
        PyTorch, torch.nn.CosineEmbeddingLoss.
    """

    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def __call__(
        self, input1: Float[Array, "*N D"], input2: Float[Array, "*N D"], target: Float[Array, "*N"]
    ) -> Float[Array, "..."]:
        """The loss of two vectors and whether they should be alike."""
        return F.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class MultiMarginLoss(_Loss):
    """1/C sum over the classes j other than y of w_y max(0, margin - x_y + x_j)^p.

    Args:
        p: 1 or 2.
        margin: by how much.
        weight: of each class, (C,).
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: where p is neither, or weight has not one axis.

    Examples:
        >>> float(MultiMarginLoss()(array([[0.5, 0.0]]), array([0])))
        0.25

    References:
        PyTorch, torch.nn.MultiMarginLoss.
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Float[Array, " C"] | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p is {p}, wanted 1 or 2")
        if weight is not None and weight.ndim != 1:
            raise ValueError(f"MultiMarginLoss: weight has shape {tuple(weight.shape)}, wanted (C,)")
        super().__init__(size_average, reduce, reduction)
        self.p, self.margin = p, margin
        self.register_buffer("weight", weight)

    def __call__(self, input: Float[Array, "*N C"], target: Int[Array, "*N"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.multi_margin_loss(
            input, target, self.p, self.margin, self._values("weight")[0], reduction=self.reduction
        )


class MultiLabelMarginLoss(_Loss):
    """1/C sum over right classes k and wrong classes j of max(0, 1 - x_k + x_j).

    Args:
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(MultiLabelMarginLoss()(array([[0.5, 0.0]]), array([[0, -1]])))
        0.25

    References:
        PyTorch, torch.nn.MultiLabelMarginLoss.
    """

    def __call__(self, input: Float[Array, "*N C"], target: Int[Array, "*N C"]) -> Float[Array, "..."]:
        """The loss of scores and the right classes, those before the first -1."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class TripletMarginLoss(_Loss):
    """max(0, d(a, p) - d(a, n) + margin), d the distance in the p-norm.

    Args:
        margin: by how much.
        p: of the norm.
        eps: added to each difference.
        swap: whether the distance of positive and negative stands in where it is the smaller.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: where margin is not positive.

    Examples:
        >>> round(float(TripletMarginLoss()(array([[0.0]]), array([[1.0]]), array([[0.5]]))), 4)
        1.5

    References:
        PyTorch, torch.nn.TripletMarginLoss.
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: margin is {margin}, wanted a positive number")
        super().__init__(size_average, reduce, reduction)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def __call__(
        self, anchor: Float[Array, "*N D"], positive: Float[Array, "*N D"], negative: Float[Array, "*N D"]
    ) -> Float[Array, "..."]:
        """The loss of anchor, positive and negative."""
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, reduction=self.reduction
        )


class TripletMarginWithDistanceLoss(_Loss):
    """TripletMarginLoss with any distance.

    Args:
        distance_function: of two arrays; PairwiseDistance() by default.
        margin: by how much.
        swap: as for TripletMarginLoss.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: where margin is not positive.

    Examples:
        >>> far = lambda x, y: abs(x - y).sum(-1)
        >>> layer = TripletMarginWithDistanceLoss(distance_function=far)
        >>> float(layer(array([[0.0]]), array([[1.0]]), array([[0.5]])))
        1.5

    References:
        PyTorch, torch.nn.TripletMarginWithDistanceLoss.
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Array, Array], Array] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        if margin <= 0:
            raise ValueError(f"TripletMarginWithDistanceLoss: margin is {margin}, wanted a positive number")
        super().__init__(reduction=reduction)
        self.distance_function, self.margin, self.swap = distance_function or PairwiseDistance(), margin, swap

    def __call__(
        self, anchor: Float[Array, "*N D"], positive: Float[Array, "*N D"], negative: Float[Array, "*N D"]
    ) -> Float[Array, "..."]:
        """The loss of anchor, positive and negative."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
