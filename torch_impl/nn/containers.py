"""Containers: modules and parameters in order or by key, under the names that torch gives them."""

from torch.nn import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential

__all__ = ["Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"]
