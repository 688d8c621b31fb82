"""The functions of torch.nn.functional, in plain functions of arrays.

References:
    PyTorch, torch.nn.functional.
"""

from torch_impl.functional.linear import bilinear, linear

__all__ = [
    "linear",
    "bilinear",
]
