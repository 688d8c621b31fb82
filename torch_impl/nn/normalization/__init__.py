"""The normalizations of torch.nn: over a batch, over instances, and within each example.

References:
    PyTorch, torch.nn, "Normalization Layers".
"""

from torch_impl.nn.normalization.batch import BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm
from torch_impl.nn.normalization.cross_map import CrossMapLRN2d
from torch_impl.nn.normalization.instance import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from torch_impl.nn.normalization.layer import GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm
from torch_impl.nn.normalization.lazy import (
    LazyBatchNorm1d,
    LazyBatchNorm2d,
    LazyBatchNorm3d,
    LazyInstanceNorm1d,
    LazyInstanceNorm2d,
    LazyInstanceNorm3d,
)

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "SyncBatchNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "RMSNorm",
    "GroupNorm",
    "LocalResponseNorm",
    "CrossMapLRN2d",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]
