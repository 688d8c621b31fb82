"""Modules: parameters, buffers and submodules under the names that torch gives them, and the train and eval modes."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.nnx import Param as Parameter
from jax import Array

from jax_impl.nn import _tree as tree
from jax_impl.nn import state as states

__all__ = ["Module", "Parameter", "Buffer"]


class Buffer(nnx.Variable):
    """A tensor that belongs to a module's state and is not trained: a running mean, a count, a mask.

    Args:
        data: The array.
        persistent: Whether it is part of `state_dict`.

    Examples:
        >>> module = Module()
        >>> module.mask = Buffer(array([1.0, 0.0]))
        >>> [name for name, _ in module.named_buffers()], list(module.parameters())
        (['mask'], [])

    References:
        PyTorch, torch.nn.Buffer.
    """

    def __init__(self, data: Any, *, persistent: bool = True, **metadata: Any) -> None:
        super().__init__(data, persistent=persistent, **metadata)


class Module(nnx.Module):
    """The base of every layer: an nnx.Module that knows torch's names of what it holds, and torch's modes.

    Parameters are assigned as Parameter (nnx.Param), buffers as Buffer, submodules as they are; the forward pass is
    __call__. A tree of modules may hold Flax's own layers too.

    Attributes:
        training: Whether the module is in train mode, as a new one is.

    Examples:
        >>> module = Module()
        >>> module.weight = Parameter(array([[1.0, 2.0]]))
        >>> [name for name, _ in module.named_parameters()], module.training, module.eval().training
        (['weight'], True, False)

    References:
        PyTorch, torch.nn.Module; Flax, nnx.Module.
    """

    training: bool = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign; what was None may become a parameter or a module, as in torch, where NNX alone refuses it."""
        if name in vars(self) and vars(self)[name] is None and nnx.is_data(value):
            if not isinstance(value, nnx.Variable):  # torch knows a module from here on; a parameter may have a place
                places = {n: kind for n, kind in self._pytree__nodes.items() if n != name}
                object.__setattr__(self, "_pytree__nodes", type(self._pytree__nodes)(places))
            value = nnx.data(value)
        super().__setattr__(name, value)

    @property
    def deterministic(self) -> bool:
        """Flax's name for eval mode: so a model of Flax's own takes its submodules along in train() and eval()."""
        return not self.training

    @deterministic.setter
    def deterministic(self, value: bool) -> None:
        self.training = not value

    def set_view(self, deterministic: bool | None = None, **options: Any) -> None:
        """The mode, as nnx.view sets it.

        Args:
            deterministic: if True, the module is in eval mode.
        """
        if deterministic is not None:
            self.training = not deterministic

    def train(self, mode: bool = True, **attributes: Any) -> Self:
        """Put the module and every one below it in train mode, or in eval mode; returns the module."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode is {mode!r}, wanted True or False")
        modes = {"deterministic": not mode, "use_running_average": not mode}
        self.set_attributes(**modes, **attributes, raise_if_not_found=False)
        return self

    def eval(self, **attributes: Any) -> Self:
        """Put the module and every one below it in eval mode; returns the module."""
        return self.train(False, **attributes)

    def named_parameters(self) -> Iterator[tuple[str, nnx.Variable]]:
        """Every parameter under its name, once; one that is tied stands under the first of its names."""
        return _once(self, nnx.Param)

    def parameters(self) -> Iterator[nnx.Variable]:
        """Every parameter, once."""
        return (variable for _, variable in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, nnx.Variable]]:
        """Every buffer under its name, once, and the statistics of Flax's own layers."""
        return ((name, v) for name, v in _once(self, nnx.Variable) if not isinstance(v, nnx.Param))

    def buffers(self) -> Iterator[nnx.Variable]:
        """Every buffer, once."""
        return (variable for _, variable in self.named_buffers())

    def named_modules(self) -> Iterator[tuple[str, nnx.Pytree]]:
        """This module under the name "", and every one below it, once."""
        seen: set[int] = set()
        for name, module in tree.named_modules(self):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self) -> Iterator[nnx.Pytree]:
        """This module and every one below it, once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, nnx.Pytree]]:
        """The modules that this one holds itself."""
        return tree.children(self)

    def children(self) -> Iterator[nnx.Pytree]:
        """The modules that this one holds itself, without their names."""
        return (module for _, module in self.named_children())

    def register_parameter(self, name: str, param: nnx.Variable | None) -> None:
        """Assign a parameter, or None in its place."""
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Array | None, persistent: bool = True) -> None:
        """Assign a buffer, or None in its place."""
        setattr(self, name, None if tensor is None else Buffer(tensor, persistent=persistent))

    def apply(self, fn: Callable[[Any], None]) -> Self:
        """Call a function with every module, the lowest first, as to initialise them; returns this one."""
        for child in self.children():
            if isinstance(child, Module):
                child.apply(fn)
            else:
                fn(child)
        fn(self)
        return self

    def state_dict(self) -> dict[str, Array]:
        """See jax_impl.nn.state_dict."""
        return states.state_dict(self)

    def load_state_dict(
        self, state_dict: Mapping[str, Any] | str | os.PathLike[str], strict: bool = True
    ) -> states.IncompatibleKeys:
        """See jax_impl.nn.load_state_dict."""
        return states.load_state_dict(self, state_dict, strict)

    def extra_repr(self) -> str:
        """What a module says of itself between its brackets."""
        return ""

    @staticmethod
    def _empty(*shape: int, dtype: Any = None) -> Parameter:
        """A parameter for `jax_impl.nn.init` to fill; float32 where no dtype is given, also where x64 is enabled."""
        # zeros of NumPy's: they cost no program, and a place that nothing is written to takes no memory
        kind = jnp.float32 if dtype is None else jnp.zeros((), dtype).dtype
        return Parameter(np.zeros(shape, kind))

    def _values(self, *names: str) -> tuple[Any, ...]:
        """The arrays of these parameters or buffers, None for one that the module does without."""
        held = (getattr(self, name) for name in names)
        return tuple(None if variable is None else variable[...] for variable in held)

    def __repr__(self) -> str:
        lines = [line for line in self.extra_repr().split("\n") if line]
        below = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not below and len(lines) <= 1:
            return f"{type(self).__name__}({''.join(lines)})"
        return "\n  ".join([f"{type(self).__name__}(", *lines, *below]) + "\n)"

    def __str__(self) -> str:
        return repr(self)


def _once(module: Module, kind: type[nnx.Variable]) -> Iterator[tuple[str, nnx.Variable]]:
    seen: set[int] = set()
    for name, variable, _ in tree.named_variables(module):
        if isinstance(variable, kind) and id(variable) not in seen:
            seen.add(id(variable))
            yield name, variable
