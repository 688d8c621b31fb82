"""Layers that join several axes into one, and split one into several."""

from torch.nn import Flatten, Unflatten

__all__ = ["Flatten", "Unflatten"]
