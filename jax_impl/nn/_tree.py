"""What a module holds, by the names that torch gives it: of this package's modules and of Flax's own layers."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

# what torch calls the variables of each kind of Flax's own layers; a variable that is not listed keeps its name
_WEIGHTED = {"kernel": "weight", "scale": "weight", "embedding": "weight"}
_TRANSIENT = (nnx.RngState, nnx.Intermediate, nnx.Cache)
_NAMES: dict[type[nnx.Pytree], dict[str, str]] = {
    nnx.Linear: _WEIGHTED,
    nnx.Conv: _WEIGHTED,
    nnx.Embed: _WEIGHTED,
    nnx.LayerNorm: _WEIGHTED,
    nnx.RMSNorm: _WEIGHTED,
    nnx.GroupNorm: _WEIGHTED,
    nnx.BatchNorm: _WEIGHTED | {"mean": "running_mean", "var": "running_var"},
    nnx.List: {},
    nnx.Dict: {},
    nnx.Pytree: {},
}

BATCH_COUNT = "num_batches_tracked"


def named_variables(module: nnx.Pytree, prefix: str = "") -> Iterator[tuple[str, nnx.Variable, bool]]:
    """Every parameter and buffer: its name in torch, the variable, and whether it is a kernel, (..., in, out)."""
    for path, part in named_modules(module, prefix):
        kind = next(base for base in type(part).__mro__ if base in _NAMES)
        foreign = kind is nnx.Pytree and type(part) is not nnx.Module and type(part).__module__.startswith("flax.")
        held = [(n, v) for n, v in _members(part) if isinstance(v, nnx.Variable) and not isinstance(v, _TRANSIENT)]
        if held and foreign:
            raise TypeError(
                f"state_dict: {_below(path, held[0][0])} belongs to a {type(part).__name__}, whose layout in torch is "
                f"not known; known are {sorted(known.__name__ for known, names in _NAMES.items() if names)}"
            )
        for attribute, variable in sorted(held, key=lambda item: not isinstance(item[1], nnx.Param)):
            kernel = kind in (nnx.Linear, nnx.Conv) and attribute == "kernel"
            yield _below(path, _NAMES[kind].get(attribute, attribute)), variable, kernel


def named_modules(module: nnx.Pytree, prefix: str = "") -> Iterator[tuple[str, nnx.Pytree]]:
    """The module under its prefix, and every one below it, by torch's name: each before those that it holds."""
    yield prefix, module
    for name, child in children(module):
        # torch's Sequential holds its layers itself, Flax's in a list
        yield from named_modules(child, prefix if isinstance(module, nnx.Sequential) else _below(prefix, name))


def children(module: nnx.Pytree) -> Iterator[tuple[str, nnx.Pytree]]:
    """The modules that this one holds itself, in the order in which they were assigned."""
    return (
        (name, value)
        for name, value in _members(module)
        if isinstance(value, nnx.Pytree) and not isinstance(value, (nnx.Rngs, nnx.RngStream))
    )


def to_torch(value: Array, kernel: bool) -> Array:
    """A value in torch's layout; a kernel of Flax's has its last two axes first there, output before input."""
    return jnp.moveaxis(value, (-1, -2), (0, 1)) if kernel else value


def _members(module: nnx.Pytree) -> list[tuple[str, Any]]:
    # nnx.merge sets attributes in alphabetical order; the table of their kinds keeps the order of assignment
    place = {name: i for i, name in enumerate(getattr(module, "_pytree__nodes", {}))}
    return sorted(vars(module).items(), key=lambda item: place.get(item[0], len(place)))


def _below(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
