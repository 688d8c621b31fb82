"""Batch and instance normalization that learn the number of their input's channels from the first input.

Parameters and statistics are made by the first call outside jit, or by initialize_parameters(input): a parameter cannot
change its shape inside a compiled function. load_state_dict gives them their shapes too.
"""

from torch.nn import (
    LazyBatchNorm1d,
    LazyBatchNorm2d,
    LazyBatchNorm3d,
    LazyInstanceNorm1d,
    LazyInstanceNorm2d,
    LazyInstanceNorm3d,
)

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]
