"""A Flax model's layers while it runs, each beside the torch layer that it is: what it gives, and its gradient."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.sides import jax_backend
from parity.sides.arrangement import Arrangement
from parity.sides.inputs import is_float, leaves, rebuild
from parity.sides.jax_layers import JaxLayers, traced
from parity.sides.jax_requests import requests_raised
from parity.sides.jax_teacher import paired
from parity.sides.single import named_outputs

jax = jax_backend.start()

Known = Callable[[str, int], Mapping[str, np.ndarray] | None]
"""known(JAX path, number) -> torch's arrays of that call's output by place; None for no call."""


@dataclass(frozen=True)
class Tap:
    """One array that a layer gives.

    Attributes:
        name: What it is recorded under.
        path, number: The module, and which call of it.
        jax, torch: Its place in the output on either side.
        arrangement: How torch's lies in JAX's.
        shape: Torch's.
    """

    name: str
    path: str
    number: int
    jax: str
    torch: str
    arrangement: Arrangement
    shape: tuple[int, ...]


def find_taps(
    layers: JaxLayers, values: Mapping[str, np.ndarray], inputs: Sequence[Any], paths: set[str], known: Known
) -> tuple[list[Tap], dict[str, str]]:
    """Run once at float64, uncompiled, and lay what each layer gives beside torch's.

    Args:
        layers: The model.
        values: Its leaves.
        inputs: NumPy pytrees.
        paths: The layers.
        known: Torch's side of a call.

    Returns:
        (the Taps in order, layers that have none with the reason).
    """
    found: list[Tap] = []
    refused: dict[str, str] = {}
    orders: dict[int, tuple[int, ...]] = {}

    def reached(path: str, number: int, args: Any, kwargs: Any, original: Callable[..., Any]) -> Any:
        output = original(*args, **kwargs)
        if traced(args, kwargs, output):
            refused[path] = "it runs inside of a scan or a compiled part"
            return output
        theirs = known(path, number)
        if theirs is None:
            refused[path] = f"torch has no call {number + 1} of it"
            return output
        pairs = paired(leaves(output), theirs, orders, in_order=False)
        if not pairs:
            refused[path] = "none of its outputs has the shape of torch's, in any order of axes"
        orders.update({len(p.arrangement.order): p.arrangement.order for p in pairs})
        for p in pairs:
            name = path.replace(".", "/") + (f"#{number}" if number else "") + (f".{p.torch}" if p.torch else "")
            found.append(Tap(name, path, number, p.jax, p.torch, p.arrangement, p.shape))
        return output

    with jax.enable_x64(True), requests_raised():
        given = rebuild(
            tuple(inputs), lambda _, leaf: jax.numpy.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf
        )
        own = {n: jax.numpy.asarray(np.asarray(v, np.float64) if is_float(v) else v) for n, v in values.items()}
        layers.run(own, given, paths, reached)
    return found, refused


def tapped(layers: JaxLayers, taps: Sequence[Tap], renamed: Mapping[str, str]) -> Callable[..., dict[str, Any]]:
    """The model as a function of what `MappedSide` hands to it, which gives what its layers gave, too.

    Args:
        layers: The model.
        taps: From `find_taps`.
        renamed: Outputs that are called as torch's in their place are.

    Returns:
        function(parameters, state, inputs, layers) -> {"output": ..., "layer": by name, in torch's layouts}. `layers`
        are zeros by name, as for torch.
    """
    by_call: dict[tuple[str, int], dict[str, Tap]] = {}
    for tap in taps:
        by_call.setdefault((tap.path, tap.number), {})[tap.jax] = tap
    paths = {path for path, _ in by_call}

    def run(
        parameters: dict[str, Any], state: dict[str, Any], inputs: dict[str, Any], zeros: dict[str, Any]
    ) -> dict[str, Any]:
        caught: dict[str, Any] = {}

        def reached(path: str, number: int, args: Any, kwargs: Any, original: Callable[..., Any]) -> Any:
            own = by_call.get((path, number), {})

            def change(place: str, leaf: Any) -> Any:
                if place not in own:
                    return leaf
                tap = own[place]
                caught[tap.name] = jax.lax.stop_gradient(tap.arrangement.to_torch(leaf, tap.shape))
                return leaf + tap.arrangement.to_jax(zeros[tap.name])

            return rebuild(original(*args, **kwargs), change)

        output = layers.run({**parameters, **state}, tuple(inputs.values()), paths, reached)
        named = {renamed.get(p, p): leaf for p, leaf in named_outputs(output).items()}
        return {"output": named, "layer": caught}

    return lambda parameters, state, inputs, layers: run(parameters, state, inputs, layers)
