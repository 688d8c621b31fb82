"""Adaptive softmax: frequent classes in a head, rare ones in clusters behind it, each with a smaller projection."""

from torch.nn import AdaptiveLogSoftmaxWithLoss

__all__ = ["AdaptiveLogSoftmaxWithLoss"]
