"""Copies of a Flax NNX module with another mode or configuration; the user's own is never written to."""

from collections.abc import Mapping
from typing import Any

from flax import nnx

from parity.sides.nnx_layers import NnxLayer


def in_mode(module: Any, train: bool) -> Any:
    """A copy in train or eval mode, in every part that keeps its mode."""
    copied = nnx.merge(*nnx.split(module))
    copied.set_attributes(deterministic=not train, use_running_average=not train, raise_if_not_found=False)
    return copied


def parts(module: Any) -> dict[str, NnxLayer]:
    """The parts that hold a Variable of their own, by path: each with its kind, its attributes and its values."""
    held = {}
    for path, part in nnx.iter_modules(module):
        if any(isinstance(value, nnx.Variable) for value in vars(part).values()):
            held[".".join(map(str, path))] = NnxLayer(part)
    return held


def patched(module: Any, patches: Mapping[str, Mapping[str, Any]]) -> Any:
    """A copy with other attributes.

    Args:
        module: The NNX module.
        patches: The attributes to set, by the path of the part.

    Returns:
        The copy.
    """
    copied = nnx.merge(*nnx.split(module))
    for path, part in nnx.iter_modules(copied):
        for name, value in patches.get(".".join(map(str, path)), {}).items():
            setattr(part, name, value)
    return copied
