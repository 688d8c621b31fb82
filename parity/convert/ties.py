"""Weights of a pair of which one side ties what the other has apart: mapped with torch's ties as JAX has them."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

from parity.convert.mapping import map_weights
from parity.convert.mapping_error import MappingError
from parity.convert.weight_map import WeightMap
from parity.sides.given import TorchSide

TRIED = 3
"""Pairs of weights that are tied to see whether JAX ties them; an embedding and a head, which are most, come first."""


def map_with_other_ties(torch_model: Any, jax_model: Any, *inputs: Any, tie: bool) -> WeightMap | None:
    """Map the weights with torch's tied ones apart, or with two of the same shape tied.

    Args:
        torch_model, jax_model, *inputs: As for `map_weights`.
        tie: Whether to tie, where JAX has fewer weights; else all of torch's are taken apart.

    Returns:
        A proven map, whose names are those of the model that was given; None where there is none.
    """
    side = torch_model if isinstance(torch_model, TorchSide) else TorchSide(torch_model)
    if side.kind != "module":
        return None
    for model in _tied(side.model) if tie else _apart(side.model):
        try:
            return map_weights(TorchSide(model, side.call), jax_model, *inputs)
        except MappingError:
            continue
    return None


def _apart(model: Any) -> Iterator[Any]:
    """A copy in which every tied parameter is one of its own."""
    import torch

    copied = copy.deepcopy(model)
    seen: set[int] = set()
    again = []
    for name, parameter in copied.named_parameters(remove_duplicate=False):
        if id(parameter) in seen:
            again.append((name, parameter))
        seen.add(id(parameter))
    for name, parameter in again:
        path, _, leaf = name.rpartition(".")
        setattr(copied.get_submodule(path), leaf, torch.nn.Parameter(parameter.detach().clone()))
    if again:
        yield copied


def _tied(model: Any) -> Iterator[Any]:
    """Copies in which two matrices of one shape are one parameter."""
    import torch

    owners = {
        path: module
        for path, module in model.named_modules()
        if isinstance(getattr(module, "weight", None), torch.nn.Parameter) and module.weight.ndim == 2
    }
    pairs = [
        (a, b)
        for a, b in itertools.combinations(owners, 2)
        if owners[a].weight.shape == owners[b].weight.shape and owners[a].weight is not owners[b].weight
    ]
    pairs.sort(key=lambda pair: not any(isinstance(owners[path], torch.nn.Embedding) for path in pair))
    for a, b in pairs[:TRIED]:
        copied = copy.deepcopy(model)
        copied.get_submodule(b).weight = copied.get_submodule(a).weight
        yield copied
