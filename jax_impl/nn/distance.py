"""Layers of distances and cosines."""

from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along one axis.

    Args:
        dim: the axis.
        eps: the least length.

    Examples:
        >>> CosineSimilarity()(array([[1.0, 0.0]]), array([[3.0, 0.0]])).tolist()
        [1.0]

    References:
        PyTorch, torch.nn.CosineSimilarity.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def __call__(self, x1: Float[Array, "..."], x2: Float[Array, "..."]) -> Float[Array, "..."]:
        """Of each pair."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """|x1 - x2 + eps| in the p-norm, along the last axis.

    Args:
        p: of the norm.
        eps: added to each difference.
        keepdim: whether the last axis stays, of length 1.

    Examples:
        >>> PairwiseDistance(eps=0.0)(array([[3.0, 4.0]]), array([[0.0, 0.0]])).tolist()
        [5.0]

    References:
        PyTorch, torch.nn.PairwiseDistance.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def __call__(self, x1: Float[Array, "*N D"], x2: Float[Array, "*N D"]) -> Float[Array, "*N"]:
        """Of each pair."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
