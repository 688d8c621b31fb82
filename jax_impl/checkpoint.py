"""Checkpoints: a model's state in torch's names and layout, as a dict, as a pure function's argument, as a file.

Torch writes a linear weight (out, in) and a convolution's (out, in, height, width); Flax writes (in, out) and
(height, width, in, out), and says kernel. Here both sides speak torch's, so that each loads what the other saved.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import safetensors.flax
from flax import nnx, serialization
from flax.nnx import Module
from flax.nnx import Param as Parameter
from jax import Array
from jaxtyping import Float
from safetensors import SafetensorError

from jax_impl.nn._tree import BATCH_COUNT, named_variables, to_torch

__all__ = ["state_dict", "parameter_names", "load_state_dict", "apply", "save", "load", "save_native", "load_native"]

State = dict[str, Float[Array, "..."]]

# differs: torch's norms also count batches in num_batches_tracked, Flax's do not: the count stays out of the state


def state_dict(model: Module) -> State:
    """The model's parameters and running statistics by name: a snapshot, which later training leaves as it is.

    Args:
        model: of linear, convolution, embedding and norm layers, and parameters of its own.

    Returns:
        Torch's name -> the array in torch's layout, of the model's dtypes.

    Raises:
        TypeError: where a layer's layout in torch is not known.

    Examples:
        >>> model = Module()
        >>> model.weight = Parameter(array([[1.0, 2.0]]))
        >>> {name: value.tolist() for name, value in state_dict(model).items()}
        {'weight': [[1.0, 2.0]]}

    References:
        PyTorch, Training a Classifier (60 minute blitz), "net.state_dict()".
    """
    return {name: to_torch(variable.get_value(), kernel) for name, variable, kernel in _variables(model)}


def parameter_names(model: Module) -> tuple[str, ...]:
    """The names of the parameters, what a gradient is taken for: the state's without its running statistics.

    Args:
        model: as state_dict takes it.

    Returns:
        Torch's names, sorted.

    Raises:
        TypeError: where a layer's layout in torch is not known.

    Examples:
        >>> model = Module()
        >>> model.weight = Parameter(array([[1.0, 2.0]]))
        >>> parameter_names(model)
        ('weight',)

    References:
        PyTorch, Neural Networks (60 minute blitz), "net.parameters()".
    """
    return tuple(sorted(name for name, variable, _ in _variables(model) if isinstance(variable, Parameter)))


def load_state_dict(model: Module, state: State) -> None:
    """Put a state into the model, in place. All of it is checked before any of it is written.

    The parameters take the state's dtype, so that nothing is rounded, and stay on their device.

    Args:
        model: of the shapes that the state holds.
        state: what state_dict gives, from either side.

    Raises:
        ValueError: where names are missing or unexpected, a shape differs, or JAX would have to round a value.
        TypeError: where a layer's layout in torch is not known.

    Examples:
        >>> model = Module()
        >>> model.weight = Parameter(array([[1.0, 2.0]]))
        >>> load_state_dict(model, {"weight": array([[3.0, 4.0]])})
        >>> state_dict(model)["weight"].tolist()
        [[3.0, 4.0]]

    References:
        PyTorch, Training a Classifier (60 minute blitz), "net.load_state_dict".
    """
    shapes = _shapes(model)
    _check(shapes, state)
    # differs: torch always holds float64, JAX only where x64 is enabled; rounding it silently would not be loading it
    _refuse_to_round({name: state[name] for name in shapes})
    _write(model, state)


def apply(model: Module, state: State, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The model's output as a pure function of its state: differentiable in state and x, in the state's dtype.

    Args:
        model: gives the computation; its own values take no part and do not change, nor do the state's.
        state: what state_dict gives, from either side.
        x: the model's input.

    Returns:
        What model(x) would be with that state.

    Raises:
        ValueError: where names are missing or unexpected, or a shape differs.
        TypeError: where a layer's layout in torch is not known.

    Examples:
        >>> class Scale(Module):
        ...     def __call__(self, x):
        ...         return self.weight * x
        >>> model = Scale()
        >>> model.weight = Parameter(array([1.0, 2.0]))
        >>> apply(model, {"weight": array([3.0, 4.0])}, array([10.0, 10.0])).tolist()
        [30.0, 40.0]

    References:
        PyTorch, torch.func.functional_call; Flax, nnx.split and nnx.merge.
    """
    _check(_shapes(model), state)
    copy = nnx.clone(model)  # split and merged: its variables belong to this trace, and can be written in it
    _write(copy, state)
    return copy(x)


def save(model: Module, path: str | os.PathLike[str]) -> None:
    """Write the model's state as safetensors, whole or not at all: a file that either side loads, bit for bit.

    Args:
        model: as state_dict takes it.
        path: the file to write or replace; its folder must exist.

    Raises:
        OSError: where the file cannot be written; what stood there before still stands.
        TypeError: where a layer's layout in torch is not known.

    Examples:
        >>> model = Module()
        >>> model.weight = Parameter(array([1.0, 2.0]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(model, f"{folder}/net.safetensors")
        ...     os.listdir(folder)
        ['net.safetensors']

    References:
        PyTorch, Training a Classifier (60 minute blitz), "torch.save(net.state_dict(), PATH)"; safetensors' format.
    """
    _write_whole(path, safetensors.flax.save(state_dict(model)))


def load(model: Module, path: str | os.PathLike[str]) -> None:
    """Read a safetensors file of either side into the model, in place, bit for bit.

    Args:
        model: of the shapes that the file holds.
        path: the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no whole safetensors file, or its names or shapes are not the model's, or JAX would have
            to round it.
        TypeError: where a layer's layout in torch is not known.

    Examples:
        >>> model, other = Module(), Module()
        >>> model.weight, other.weight = Parameter(array([1.0, 2.0])), Parameter(array([0.0, 0.0]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(model, f"{folder}/net.safetensors")
        ...     load(other, f"{folder}/net.safetensors")
        >>> state_dict(other)["weight"].tolist()
        [1.0, 2.0]

    References:
        PyTorch, Training a Classifier (60 minute blitz), "net.load_state_dict(torch.load(PATH))"; safetensors' format.
    """
    try:
        with jax.enable_x64(True):  # so that load_state_dict sees the file's dtypes
            state = safetensors.flax.load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"load: {path} is no whole safetensors file ({error}); write it with save(model, path)"
        ) from error
    load_state_dict(model, state)


def save_native(model: Module, path: str | os.PathLike[str]) -> None:
    """Write the model's state as its own framework does: its names, its layout, its file format.

    Args:
        model: any model.
        path: the file to write or replace; its folder must exist.

    Raises:
        OSError: where the file cannot be written; what stood there before still stands.

    Examples:
        >>> model = Module()
        >>> model.weight = Parameter(array([1.0, 2.0]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_native(model, f"{folder}/net")
        ...     os.listdir(folder)
        ['net']

    References:
        PyTorch, torch.save; Flax, nnx.state and flax.serialization.to_bytes.
    """
    own = nnx.state(model, nnx.Not(nnx.RngState))
    _write_whole(path, serialization.to_bytes(nnx.to_pure_dict(own)))


def load_native(model: Module, path: str | os.PathLike[str]) -> None:
    """Read a file of save_native into the model, in place, running none of the file's contents as code.

    Args:
        model: of the shapes that the file holds.
        path: the file, written by the same framework.

    Raises:
        FileNotFoundError: where there is no such file.

    Examples:
        >>> model, other = Module(), Module()
        >>> model.weight, other.weight = Parameter(array([1.0, 2.0])), Parameter(array([0.0, 0.0]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_native(model, f"{folder}/net")
        ...     load_native(other, f"{folder}/net")
        >>> state_dict(other)["weight"].tolist()
        [1.0, 2.0]

    References:
        PyTorch, torch.load with weights_only=True; Flax, nnx.update and flax.serialization.from_bytes.
    """
    own = nnx.state(model, nnx.Not(nnx.RngState))
    wanted = nnx.to_pure_dict(own)
    values = serialization.from_bytes(wanted, Path(path).read_bytes())
    _check({name: value.shape for name, value in _named(wanted)}, dict(_named(values)))
    _refuse_to_round(dict(_named(values)))
    nnx.replace_by_pure_dict(own, jax.tree.map(jnp.array, values))
    nnx.update(model, own)


def _variables(model: Module) -> Iterator[tuple[str, nnx.Variable, bool]]:
    return (found for found in named_variables(model) if not found[0].endswith(BATCH_COUNT))


def _shapes(model: Module) -> dict[str, tuple[int, ...]]:
    # by eval_shape, as the model may hold shapes alone (nnx.eval_shape)
    return {
        name: jax.eval_shape(lambda value: to_torch(value, kernel), variable.get_value()).shape  # noqa: B023
        for name, variable, kernel in _variables(model)
    }


def _named(tree: Any) -> list[tuple[str, Array]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(path, simple=True, separator="."), value) for path, value in leaves]


def _refuse_to_round(state: State) -> None:
    for name, value in state.items():
        if jax.dtypes.canonicalize_dtype(value.dtype) != value.dtype:
            raise ValueError(
                f"checkpoint: {name} is {value.dtype}, which JAX would round; call inside jax.enable_x64(True), or "
                "save the state as float32"
            )


def _write(model: Module, state: State) -> None:
    for name, variable, kernel in _variables(model):
        value = jnp.array(state[name])
        variable.set_value(jnp.moveaxis(value, (0, 1), (-1, -2)) if kernel else value)


def _check(wanted: dict[str, tuple[int, ...]], state: State) -> None:
    missing = [name for name in wanted if name not in state]
    unexpected = [name for name in state if name not in wanted and not name.endswith(BATCH_COUNT)]
    if missing or unexpected:
        raise ValueError(
            f"checkpoint: the state lacks {missing}, and has {unexpected}, which the model has not; "
            "state_dict(model) gives the names that it wants"
        )
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            raise ValueError(
                f"checkpoint: {name} has shape {tuple(state[name].shape)}, the model wants {shape}; build the "
                "model with the sizes that the state was saved with"
            )


def _write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    target = Path(path)
    # written beside its place and moved there at once, so that a crash leaves the old file and no half of the new one
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        partial = Path(folder) / target.name
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
