"""Layers of activations made of straight lines, and of the exponential ones that replace their negative half."""

from torch.nn import CELU, ELU, SELU, Hardtanh, LeakyReLU, PReLU, ReLU, ReLU6, RReLU, Threshold

__all__ = ["Threshold", "ReLU", "Hardtanh", "ReLU6", "LeakyReLU", "PReLU", "RReLU", "ELU", "SELU", "CELU"]
