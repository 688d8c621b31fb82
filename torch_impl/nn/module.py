"""Modules: parameters, buffers and submodules under the names that torch gives them, and the train and eval modes."""

from torch.nn import Buffer, Module, Parameter

__all__ = ["Module", "Parameter", "Buffer"]
