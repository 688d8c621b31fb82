"""Initial values that are not drawn: one value, an identity, a convolution that hands its input through.

References:
    PyTorch, torch.nn.init.
"""

from torch.nn.init import constant_, dirac_, eye_, ones_, zeros_

__all__ = [
    "constant_",
    "ones_",
    "zeros_",
    "eye_",
    "dirac_",
]
