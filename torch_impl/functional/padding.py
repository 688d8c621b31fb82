"""Padding: numbers around an array, constant ones or copies of its own."""

from torch.nn.functional import pad

__all__ = ["pad"]
