"""A torch model's layers while it runs: what each gives, and the gradient that reaches it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from parity.sides.given import TorchSide
from parity.sides.inputs import leaves, rebuild
from parity.sides.spool import Spool
from parity.sides.torch_layers import TorchLayers
from parity.sides.torch_model import TorchModel


def seen(given: TorchSide, inputs: tuple[Any, ...]) -> tuple[dict[str, tuple[int, ...]], str]:
    """The layers that hold weights, in order of execution.

    Args:
        given: The model and its call.
        inputs: NumPy pytrees.

    Returns:
        (shapes of their floating outputs by name, why there are none). A name is the module's path with slashes, which
        call of it where it is not the first, and the place in its output: "blocks/0/attn#1.0".
    """
    layers = TorchLayers(given.model, given.call)
    owners = {name.rpartition(".")[0] for name in (*layers.parameters, *layers.buffers)}
    kept = {p for p in layers.children() if p in owners or any(o.startswith(f"{p}.") for o in owners)}
    with Spool() as spool:
        calls, _ = layers.record(inputs, kept, spool)
        found = {
            name_of(call.path, call.number, path): array.shape
            for call in calls
            if call.path in kept
            for path, array in leaves(spool.read(call.output))
            if isinstance(array, np.ndarray) and array.dtype.kind == "f"
        }
    if not layers.same_under_hooks:
        return {}, "torch gives other numbers with hooks on its layers than without them"
    return found, "" if found else "no part of the torch model that holds weights was called"


def tapped(model: TorchModel, function: Callable[..., dict[str, Any]], names: Mapping[str, Any]) -> Callable[..., Any]:
    """A function of the model that gives what its layers gave, too.

    Args:
        model: The model, which `function` runs.
        function: From `torch_forward.forward`.
        names: As `seen` tells them.

    Returns:
        function(layers, ...) -> {"output": ..., "layer": by name}. `layers` are zeros by name, which are added to what
        each layer gives: their gradients are those that reach it.
    """
    paths = {name.partition(".")[0].partition("#")[0].replace("/", ".") for name in names}

    def run(layers: dict[str, torch.Tensor], **arguments: Any) -> dict[str, Any]:
        caught: dict[str, torch.Tensor] = {}
        with _hooked(model.module, paths, layers, caught):
            result = function(**arguments)
        return {"output": result["output"], "layer": caught}

    return run


def name_of(path: str, number: int, place: str) -> str:
    """The name of one array that a call gave."""
    return path.replace(".", "/") + (f"#{number}" if number else "") + (f".{place}" if place else "")


@contextlib.contextmanager
def _hooked(
    module: nn.Module, paths: set[str], zeros: Mapping[str, torch.Tensor], caught: dict[str, torch.Tensor]
) -> Iterator[None]:
    numbers: dict[str, int] = {}

    def leave(path: str) -> Callable[..., Any]:
        def hook(_: nn.Module, args: Any, output: Any) -> Any:
            number = numbers[path] = numbers.get(path, -1) + 1

            def change(place: str, leaf: Any) -> Any:
                name = name_of(path, number, place)
                if name not in zeros:
                    return leaf
                caught[name] = leaf.detach().clone()  # what follows may write into it
                return leaf + zeros[name]

            return rebuild(output, change)

        return hook

    with contextlib.ExitStack() as hooks:
        for path in sorted(paths):
            hooks.callback(module.get_submodule(path).register_forward_hook(leave(path)).remove)
        yield
