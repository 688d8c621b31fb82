"""Max unpooling: every element goes back to where max pooling found it, and zeros stand everywhere else."""

from torch.nn.functional import max_unpool1d, max_unpool2d, max_unpool3d

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]
