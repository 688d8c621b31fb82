"""The state of a module as torch has it: names, order and layouts, out of a module, into one, and from a file."""

import os
from collections.abc import Mapping
from typing import Any

import safetensors.torch
from torch import Tensor
from torch.nn import Module, Parameter  # noqa: F401  Parameter is for the examples
from torch.nn.modules.module import _IncompatibleKeys as IncompatibleKeys

__all__ = ["state_dict", "load_state_dict", "IncompatibleKeys"]


def state_dict(module: Module) -> dict[str, Tensor]:
    """Every parameter and persistent buffer by name, in torch's order: own ones, then those of each submodule.

    Args:
        module: A module of this package, or any NNX module of Flax's layers; of those the layouts are torch's too.

    Returns:
        Torch's name -> the array in torch's layout, of the module's dtypes.

    Raises:
        TypeError: Where a layer of Flax's has no known layout in torch.

    Examples:
        >>> module = Module()
        >>> module.weight = Parameter(array([[1.0, 2.0]]))
        >>> {name: value.tolist() for name, value in state_dict(module).items()}
        {'weight': [[1.0, 2.0]]}

    References:
        PyTorch, torch.nn.Module.state_dict.
    """
    return {name: tensor.detach() for name, tensor in module.state_dict().items()}


def load_state_dict(
    module: Module, state_dict: Mapping[str, Any] | str | os.PathLike[str], strict: bool = True
) -> IncompatibleKeys:
    """Put a state into the module, in place; each value is turned into the dtype that the module has there.

    Nothing is written where anything is wrong.

    Args:
        module: As for `state_dict`.
        state_dict: Names with arrays of JAX, NumPy or torch; or the path of a safetensors file.
        strict: Whether a name that is missing or unexpected is an error.

    Returns:
        IncompatibleKeys, both empty where `strict`.

    Raises:
        RuntimeError: With torch's message, for names where `strict`, and for sizes that do not fit.
        TypeError: Where `state_dict` is no mapping and no path.

    Examples:
        >>> module = Module()
        >>> module.weight = Parameter(array([[1.0, 2.0]]))
        >>> load_state_dict(module, {"weight": array([[3.0, 4.0]])})
        <All keys matched successfully>
        >>> state_dict(module)["weight"].tolist()
        [[3.0, 4.0]]

    References:
        PyTorch, torch.nn.Module.load_state_dict; safetensors' format.
    """
    if isinstance(state_dict, (str, os.PathLike)):
        state_dict = safetensors.torch.load_file(state_dict)
    return module.load_state_dict(state_dict, strict=strict)
