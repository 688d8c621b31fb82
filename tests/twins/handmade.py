"""A map between two models' weights that is written out by hand."""

from typing import Any

import numpy as np
import torch
from torch import nn


class Handmade:
    """Torch name -> (JAX path, the axes of the torch tensor in JAX's order)."""

    def __init__(self, **rules: Any) -> None:
        self.rules_by_name = {name.replace("__", "."): rule for name, rule in rules.items()}

    def without(self, *names: str) -> "Handmade":
        return Handmade(**{n.replace(".", "__"): r for n, r in self.rules_by_name.items() if n not in names})

    def changed(self, **rules: Any) -> "Handmade":
        own = {n.replace(".", "__"): r for n, r in self.rules_by_name.items()}
        return Handmade(**(own | rules))

    def to_jax(self, state: Any) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for name, (path, *axes) in self.rules_by_name.items():
            *outer, last = path.split(".")
            level = tree
            for key in outer:
                level = level.setdefault(key, {})
            array = np.asarray(state[name])
            level[last] = array.transpose(axes) if axes else array
        return tree

    def to_torch(self, tree: Any) -> dict[str, np.ndarray]:
        found = {}
        for name, (path, *axes) in self.rules_by_name.items():
            level = tree
            for key in path.split("."):
                level = level[key]
            array = np.asarray(level)
            found[name] = array.transpose(np.argsort(axes)) if axes else array
        return found


def filled(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with normal numbers in everything that its state_dict has afloat: nothing constant hides a fault."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.5 + 0.3)
        for name, tensor in model.named_buffers():
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return model
