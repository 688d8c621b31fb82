"""Initial values drawn from a distribution: uniform, normal, cut off, orthogonal, sparse.

References:
    PyTorch, torch.nn.init.
"""

from torch.nn.init import normal_, orthogonal_, sparse_, trunc_normal_, uniform_

__all__ = [
    "uniform_",
    "normal_",
    "trunc_normal_",
    "orthogonal_",
    "sparse_",
]
