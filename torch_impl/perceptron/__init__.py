"""Perceptrons and sigmoid neurons: decisions, circuits of NAND gates, and how a smooth neuron becomes a step.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 1.
"""

from torch_impl.perceptron.networks import (
    bitwise_output,
    perceptron_network,
    scaled,
    sharpened,
    sigmoid_network,
)
from torch_impl.perceptron.neurons import (
    OutputChange,
    Sum,
    decide,
    half_adder,
    nand,
    output_change,
    perceptron,
    sigmoid_neuron,
    step,
    weighted_input,
)

__all__ = [
    "weighted_input",
    "step",
    "perceptron",
    "decide",
    "nand",
    "Sum",
    "half_adder",
    "sigmoid_neuron",
    "OutputChange",
    "output_change",
    "perceptron_network",
    "sigmoid_network",
    "scaled",
    "sharpened",
    "bitwise_output",
]
