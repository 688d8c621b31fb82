"""Torch's older normalization over neighbouring channels, with the two faults that it has there.

References:
    PyTorch, torch.nn.modules._functions.CrossMapLRN2d.
"""

from torch.nn import CrossMapLRN2d

__all__ = ["CrossMapLRN2d"]
