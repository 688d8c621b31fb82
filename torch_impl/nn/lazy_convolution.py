"""Lazy convolutions, which learn the number of their input's channels from the first input.

The parameters are made by the first call outside jit, or by initialize_parameters(input): a parameter cannot change its
shape inside a compiled function. load_state_dict gives them their shapes too.
"""

from torch.nn import LazyConv1d, LazyConv2d, LazyConv3d, LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d

__all__ = [
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]
