"""The state of a module as torch has it: names, order and layouts, out of a module, into one, and from a file."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.flax
from flax import nnx
from flax.nnx import Module
from flax.nnx import Param as Parameter  # noqa: F401  for the examples
from jax import Array

from jax_impl.nn._tree import BATCH_COUNT, named_modules, named_variables, to_torch

__all__ = ["state_dict", "load_state_dict", "IncompatibleKeys"]


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` found no place for.

    Attributes:
        missing_keys: Names of the module's that the state lacks.
        unexpected_keys: Names of the state's that the module lacks.

    Examples:
        >>> IncompatibleKeys([], [])
        <All keys matched successfully>

    References:
        PyTorch, torch.nn.Module.load_state_dict.
    """

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        told = f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"
        return told if any(self) else "<All keys matched successfully>"


def state_dict(module: Module) -> dict[str, Array]:
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
    return {name: to_torch(variable.get_value(), kernel) for name, variable, kernel in _persistent(module)}


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
    given = _since_renamed(_read(state_dict), [name for name, _, _ in _persistent(module)])
    missing: list[str] = []
    complaints: list[str] = []
    writes: list[tuple[nnx.Variable, Array]] = []
    known: dict[str, None] = {}
    for name, variable, kernel in _persistent(module):
        known[name] = None
        if name not in given:
            # torch takes the count as its own where the state is of a version that had none, as plain dicts are
            if not name.endswith(BATCH_COUNT) or hasattr(state_dict, "_metadata"):
                missing.append(name)
            continue
        held = variable.get_value()
        shape = jax.eval_shape(lambda value: to_torch(value, kernel), held).shape  # noqa: B023
        value = _array(given[name], held.dtype)
        if shape == () and value.shape == (1,):
            value = value[0]
        if value.shape != shape and not getattr(variable, "uninitialized", False):
            complaints.append(
                f"size mismatch for {name}: copying a param with shape {_size(value.shape)} from checkpoint, "
                f"the shape in current model is {_size(shape)}."
            )
            continue
        writes.append((variable, jnp.moveaxis(value, (0, 1), (-1, -2)) if kernel else value))
    unexpected = _unexpected(module, given, known)
    if strict:
        complaints = [*_named("Missing", missing), *_named("Unexpected", unexpected), *complaints]
    if complaints:
        what = "\n\t".join(complaints)
        raise RuntimeError(f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{what}")
    for variable, value in writes:
        variable.set_value(value)
    return IncompatibleKeys(missing, unexpected)


def _persistent(module: nnx.Pytree) -> Iterator[tuple[str, nnx.Variable, bool]]:
    return (found for found in named_variables(module) if getattr(found[1], "persistent", True))


def _read(state: Mapping[str, Any] | str | os.PathLike[str]) -> Mapping[str, Any]:
    if isinstance(state, (str, os.PathLike)):
        with jax.enable_x64(True):  # so that the values are rounded once, to the dtype that the module has
            return safetensors.flax.load_file(state)
    if not isinstance(state, Mapping):
        raise TypeError(
            f"load_state_dict: the state is a {type(state).__name__}, wanted names with arrays, or a path of a "
            "safetensors file"
        )
    return state


def _since_renamed(state: Mapping[str, Any], names: list[str]) -> Mapping[str, Any]:
    """The state, with what torch's older weight_norm called weight_g and weight_v under its present names."""
    renamed = dict(state)
    for name in names:
        prefix, found, rest = name.rpartition("parametrizations.")
        if found and rest.endswith(".original0"):
            old = prefix + rest.removesuffix(".original0")
            if f"{old}_g" in renamed and f"{old}_v" in renamed:
                renamed[name] = renamed.pop(f"{old}_g")
                renamed[f"{name[:-1]}1"] = renamed.pop(f"{old}_v")
    return renamed


def _array(value: Any, dtype: Any) -> Array:
    if isinstance(value, Array):
        return value.astype(dtype)
    if hasattr(value, "detach"):  # torch's, which is not imported here
        value = value.detach().cpu()
        value = (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    return jnp.asarray(np.asarray(value).astype(dtype))


def _size(shape: tuple[int, ...]) -> str:
    return f"torch.Size({list(shape)})"


def _named(what: str, keys: list[str]) -> list[str]:
    return [f"{what} key(s) in state_dict: {', '.join(f'{chr(34)}{k}{chr(34)}' for k in keys)}. "] if keys else []


def _unexpected(module: nnx.Pytree, given: Mapping[str, Any], known: Mapping[str, None]) -> list[str]:
    """Names that the module lacks, in torch's order: module by module, and in each as the state has them."""
    owners = [path for path, _ in named_modules(module)]
    rest = [name for name in given if name not in known]
    owner = {name: max((p for p in owners if p == "" or name.startswith(f"{p}.")), key=len) for name in rest}
    return [name for path in owners for name in rest if owner[name] == path]
