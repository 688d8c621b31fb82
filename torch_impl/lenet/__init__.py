"""Layers and networks: a multilayer perceptron, LeNet, the shapes on the way, and the blitz's first step by hand.

Images are (N, channels, height, width) at the door of both sides, and weights have torch's names and layout, through
state_dict and apply: so one state, one image and one cotangent serve both.
"""

from torch_impl.lenet.facts import as_batch, parameter_count, parameter_shapes, shapes
from torch_impl.lenet.first_step import backward, backward_chain, manual_update
from torch_impl.lenet.networks import MLP, LeNet, lenet, mlp

__all__ = [
    "MLP",
    "LeNet",
    "mlp",
    "lenet",
    "as_batch",
    "shapes",
    "parameter_shapes",
    "parameter_count",
    "backward",
    "backward_chain",
    "manual_update",
]
