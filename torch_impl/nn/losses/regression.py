"""Layers of losses of numbers against numbers."""

from torch.nn import HuberLoss, L1Loss, MSELoss, SmoothL1Loss

__all__ = [
    "L1Loss",
    "MSELoss",
    "SmoothL1Loss",
    "HuberLoss",
]
