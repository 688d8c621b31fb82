"""Copies of a Flax NNX module with another mode; the user's own is never written to."""

from typing import Any

from flax import nnx


def in_mode(module: Any, train: bool) -> Any:
    """A copy in train or eval mode, in every part that keeps its mode."""
    copied = nnx.merge(*nnx.split(module))
    copied.set_attributes(deterministic=not train, use_running_average=not train, raise_if_not_found=False)
    return copied
