"""Normalization over a batch, with running statistics for evaluation, in one to three dimensions and over devices.

References:
    S. Ioffe and C. Szegedy, "Batch Normalization" (2015).
"""

from torch.nn import BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"]
