"""Tensors: making them, reading and writing them, joining, multiplying, reshaping; NumPy, dtypes and devices.

One idea separates the two frameworks: a torch tensor is a window on memory that can be written through, a JAX array is
a value. Most of what looks different follows from it.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", both editions: "What is PyTorch?" (old), "Tensors" (new).
"""

from torch_impl.tensors.creation import attributes, filled, from_data, random
from torch_impl.tensors.dtypes import DTYPES, default_dtypes, move, promotion_table
from torch_impl.tensors.numpy_bridge import from_numpy, shared_memory, to_numpy, to_python
from torch_impl.tensors.operations import add, aliases, join, products, reshape, select, set_column

__all__ = [
    "from_data",
    "filled",
    "random",
    "attributes",
    "select",
    "add",
    "set_column",
    "aliases",
    "join",
    "products",
    "reshape",
    "to_python",
    "from_numpy",
    "to_numpy",
    "shared_memory",
    "DTYPES",
    "promotion_table",
    "default_dtypes",
    "move",
]
