"""Connectionist temporal classification, as a layer."""

from torch.nn import CTCLoss

__all__ = [
    "CTCLoss",
]
