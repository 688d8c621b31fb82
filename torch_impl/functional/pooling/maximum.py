"""Max pooling: the largest element of every window, and where it stood."""

from torch.nn.functional import max_pool1d, max_pool2d, max_pool3d

__all__ = ["max_pool1d", "max_pool2d", "max_pool3d"]
