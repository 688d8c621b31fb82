"""Normalization within each example: over its last axes, its groups of channels, or neighbouring channels."""

from torch.nn import GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm

__all__ = ["LayerNorm", "RMSNorm", "GroupNorm", "LocalResponseNorm"]
