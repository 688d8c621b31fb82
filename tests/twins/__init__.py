"""Models written twice by hand, once in each framework, with the map between their weights written out."""

from twins.handmade import Handmade, filled
from twins.perceptron import MLP_MAP, TorchMLP, mlp

__all__ = ["MLP_MAP", "Handmade", "TorchMLP", "filled", "mlp"]
