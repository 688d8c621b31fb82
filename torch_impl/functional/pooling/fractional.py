"""Fractional max pooling: windows at random distances, so that an image shrinks by less than two at a time."""

from torch.nn.functional import fractional_max_pool2d, fractional_max_pool3d

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]
