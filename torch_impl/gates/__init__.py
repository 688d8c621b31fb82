"""Gates and their circuits, as CS231n draws them: values forward, gradients backward.

The forward and backward of every gate are written by hand; beside them the framework differentiates the same circuit.
The two agree everywhere but at a tie of the max gate, where the page's formula and autograd take different sides.

References:
    CS231n, "Backpropagation, Intuitions" (optimization-2).
"""

from torch_impl.gates.circuits import CIRCUITS, Flow, Node, autograd, backpropagate
from torch_impl.gates.elementary import (
    add,
    exponential,
    matmul,
    maximum,
    multiply,
    reciprocal,
    scale,
    shift,
    sigmoid,
)

__all__ = [
    "add",
    "multiply",
    "maximum",
    "reciprocal",
    "exponential",
    "sigmoid",
    "shift",
    "scale",
    "matmul",
    "Node",
    "Flow",
    "CIRCUITS",
    "backpropagate",
    "autograd",
]
