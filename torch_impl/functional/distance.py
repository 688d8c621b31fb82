"""Distances and cosines along one axis, and vectors scaled to length 1, with torch's slopes where a norm is 0."""

from torch.linalg import vector_norm
from torch.nn.functional import cosine_similarity, normalize, pairwise_distance, pdist

__all__ = ["vector_norm", "cosine_similarity", "pairwise_distance", "pdist", "normalize"]
