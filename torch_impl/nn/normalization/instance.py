"""Normalization of each channel of each example, in one to three dimensions.

References:
    D. Ulyanov et al., "Instance Normalization" (2016).
"""

from torch.nn import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]
