"""Backpropagation by hand from BP1 to BP4, beside autograd, finite differences and the sum over paths.

With one column the code is the book's algorithm; with m columns it is its exercise, a mini-batch as one matrix.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 2.
"""

from torch_impl.backprop.equations import (
    bias_gradient,
    error_matrix,
    hadamard,
    hidden_error,
    output_error,
    weight_gradient,
)
from torch_impl.backprop.gradients import (
    Paths,
    autograd,
    backprop,
    finite_difference_errors,
    finite_differences,
    passes,
    path_sum,
)
from torch_impl.backprop.layers import (
    LINEAR,
    SIGMOID,
    SQUARE,
    Activation,
    Layers,
    Parameters,
    cost,
    cost_gradient,
    feedforward,
    modify_neuron,
)

__all__ = [
    "Activation",
    "SIGMOID",
    "LINEAR",
    "SQUARE",
    "modify_neuron",
    "Parameters",
    "Layers",
    "feedforward",
    "cost_gradient",
    "cost",
    "hadamard",
    "output_error",
    "hidden_error",
    "bias_gradient",
    "weight_gradient",
    "error_matrix",
    "backprop",
    "autograd",
    "finite_differences",
    "finite_difference_errors",
    "Paths",
    "path_sum",
    "passes",
]
