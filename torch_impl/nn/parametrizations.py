"""Parameters that are computed from others: a weight's direction and length apart, or its largest singular value 1.

The module's class becomes one whose weight is computed each time it is read, as torch does; the state has torch's keys:
parametrizations.weight.original0 and so on.
"""

from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.parametrize import remove_parametrizations

__all__ = ["weight_norm", "spectral_norm", "remove_parametrizations"]
