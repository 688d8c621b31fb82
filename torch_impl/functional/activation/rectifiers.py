"""Activations made of straight lines, and the exponential ones that replace their negative half.

Where the two slopes of a corner differ, the gradient at the corner itself is the one that torch takes: 0 for relu at 0
and for hardtanh at both ends, the negative side's for leaky_relu, prelu, elu and celu.

Arrays do not change: `inplace` is accepted, so that calls carry over, and changes nothing.
"""

from torch.nn.functional import celu, elu, hardtanh, leaky_relu, prelu, relu, relu6, rrelu, selu, threshold

__all__ = ["threshold", "relu", "relu6", "hardtanh", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu"]
