"""Pooling: windows reduced to their largest element or their mean, and what was the largest put back.

References:
    PyTorch, torch.nn.functional, "Pooling functions".
"""

from torch_impl.functional.pooling.adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from torch_impl.functional.pooling.average import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
)
from torch_impl.functional.pooling.fractional import fractional_max_pool2d, fractional_max_pool3d
from torch_impl.functional.pooling.maximum import max_pool1d, max_pool2d, max_pool3d
from torch_impl.functional.pooling.unpooling import max_unpool1d, max_unpool2d, max_unpool3d

__all__ = [
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
]
