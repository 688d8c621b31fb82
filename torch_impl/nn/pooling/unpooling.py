"""Max unpooling: every element goes back to where max pooling found it, and zeros stand everywhere else."""

from torch.nn import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d

__all__ = ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"]
