"""Margin losses: of classes, of pairs and of triplets; each is nothing where things are far enough apart.

Where a term is exactly 0, torch's slope is 1 in hinge_embedding_loss, margin_ranking_loss, cosine_embedding_loss and
the triplet losses, and 0 in the multi-class ones; so here.
"""

from torch.nn.functional import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)

__all__ = [
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "cosine_embedding_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
