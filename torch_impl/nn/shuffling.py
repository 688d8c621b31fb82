"""Shuffles: elements moved between channels and pixels, or between groups of channels."""

from torch.nn import ChannelShuffle, PixelShuffle, PixelUnshuffle

__all__ = ["PixelShuffle", "PixelUnshuffle", "ChannelShuffle"]
