"""torch.optim's classes by name, for a command line."""

from collections.abc import Callable, Mapping
from typing import Any

import torch


def names() -> dict[str, str]:
    """The classes' names by their names in lower case.

    Examples:
        >>> names()["adamw"]
        'AdamW'
    """
    kinds = vars(torch.optim).items()
    return {n.lower(): n for n, kind in kinds if isinstance(kind, type) and n != "Optimizer"}


def factory(name: str, options: Mapping[str, Any]) -> Callable[[list[Any]], torch.optim.Optimizer]:
    """What makes an optimizer from a list of parameters.

    Args:
        name: In lower case.
        options: Of the class.

    Returns:
        The factory, which has been tried once.

    Raises:
        TypeError, ValueError: As the class raises them, where it does not take the options.

    Examples:
        >>> factory("sgd", {"lr": 0.5})([torch.nn.Parameter(torch.zeros(1))]).defaults["lr"]
        0.5
    """
    kind = getattr(torch.optim, names()[name])
    kind([torch.nn.Parameter(torch.zeros(1))], **options)
    return lambda parameters: kind(parameters, **options)
