"""A model that is one layer itself: held in a model of nothing else, it can be told apart as any other layer is."""

from typing import Any

HELD = "held_layer"
"""Its path in the model around it."""

CONTAINERS = ("Sequential", "List", "Dict")
"""Flax's classes that hold layers and are none."""


def is_a_layer(model: Any) -> bool:
    """Whether a model is a layer of torch's or Flax's own: a LayerNorm, an LSTM, and no Sequential of some.

    Args:
        model: An nn.Module, or a Flax module.

    Examples:
        >>> import torch
        >>> is_a_layer(torch.nn.LayerNorm(4)), is_a_layer(torch.nn.Sequential(torch.nn.LayerNorm(4)))
        (True, False)
    """
    kind = type(model)
    if kind.__module__.startswith("torch.nn.modules."):
        return next(iter(model.parameters(recurse=False)), None) is not None
    return kind.__module__.startswith("flax.") and kind.__name__ not in CONTAINERS
