"""Normalization by the neighbouring channels."""

from torch.nn.functional import local_response_norm

__all__ = ["local_response_norm"]
