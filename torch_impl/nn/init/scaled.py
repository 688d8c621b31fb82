"""Initial values whose spread keeps the variance from layer to layer, by Glorot and by He.

References:
    PyTorch, torch.nn.init.
"""

from torch.nn.init import calculate_gain, kaiming_normal_, kaiming_uniform_, xavier_normal_, xavier_uniform_

__all__ = [
    "calculate_gain",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
]
