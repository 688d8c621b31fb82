"""Fractional max pooling: windows at random distances, so that an image shrinks by less than two at a time."""

from torch.nn import FractionalMaxPool2d, FractionalMaxPool3d

__all__ = ["FractionalMaxPool2d", "FractionalMaxPool3d"]
