"""Calls that read the same in torch.nn.functional and in its mirrors, and how they are compared."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import jax
import numpy as np
import torch

import parity
from jax_impl import functional as jax_functional

Call = Callable[..., Any]


def compared(calls: Mapping[str, Call], *inputs: Any, constant: tuple[int, ...] = (), **options: Any) -> parity.Report:
    """One check of many calls: each makes an output of its own, and all share the inputs and their gradients.

    Args:
        calls: Name -> call(F, *inputs), F being torch.nn.functional or jax_impl.functional.
        *inputs: NumPy arrays.
        constant: Which inputs torch takes no gradient in.
        **options: Of parity.check.
    """

    def all_of(F: ModuleType, fixed: Call) -> Call:
        def called(*values: Any) -> dict[str, Any]:
            values = tuple(fixed(value) if i in constant else value for i, value in enumerate(values))
            return {name: call(F, *values) for name, call in calls.items()}

        return called

    torch_side = all_of(torch.nn.functional, lambda value: value.detach())
    return parity.check(torch_side, all_of(jax_functional, jax.lax.stop_gradient), *inputs, **options)


def part(calls: Mapping[str, Call], whole: bool, *, every: int = 3) -> dict[str, Call]:
    """All calls where --whole is asked for, else a part: each is compiled at two precisions, forwards and backwards."""
    return dict(list(calls.items())[:: 1 if whole else every])


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers of a seed."""
    return np.random.default_rng(seed).normal(size=shape)
