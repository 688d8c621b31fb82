"""Shuffles: elements moved between channels and pixels, or between groups of channels, none changed."""

from torch.nn.functional import channel_shuffle, pixel_shuffle, pixel_unshuffle

__all__ = ["pixel_shuffle", "pixel_unshuffle", "channel_shuffle"]
