"""Layers that make one axis sum to 1."""

from torch.nn import LogSoftmax, Softmax, Softmax2d, Softmin

__all__ = ["Softmax", "Softmin", "LogSoftmax", "Softmax2d"]
