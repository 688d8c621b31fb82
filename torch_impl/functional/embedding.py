"""Rows of a table by number, one each, or a bag of them added, averaged, or reduced to the largest."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding, embedding_bag

__all__ = ["embedding", "embedding_bag", "embedding_renorm"]


def embedding_renorm(
    weight: Float[Tensor, "V D"], input: Int[Tensor, "*S"], max_norm: float, norm_type: float = 2.0
) -> Float[Tensor, "V D"]:
    """The table with the rows that the input names cut to a greatest length.

    Args:
        weight: the table (V, D), floating.
        input: row numbers, any shape, integer.
        max_norm: the greatest length.
        norm_type: of the norm that measures it.

    Returns:
        (V, D).

    Examples:
        >>> embedding_renorm(array([[3.0, 4.0], [3.0, 4.0]]), array([0]), 0.0).tolist()
        [[0.0, 0.0], [3.0, 4.0]]

    References:
        PyTorch, torch.embedding_renorm_.
    """
    length = torch.linalg.vector_norm(weight, norm_type, -1)  # (V,)
    named = torch.zeros(len(weight), dtype=torch.bool).index_fill_(0, input.reshape(-1), True)
    scale = torch.where(named & (length > max_norm), max_norm / (length + 1e-7), 1)  # torch's 1e-7
    return weight * scale[:, None]
