"""Max pooling: the largest element of every window, and where it stood."""

from torch.nn import MaxPool1d, MaxPool2d, MaxPool3d

__all__ = ["MaxPool1d", "MaxPool2d", "MaxPool3d"]
