"""A map of weights for two models of which one has another configuration: found on a patched copy of the JAX model."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.sides.given import as_jax_side, as_torch_side

INERT = ("use_fast_variance", "momentum")
"""Attributes that change no output at float64 in eval mode, in which weights are mapped."""


@dataclass(frozen=True)
class Patched:
    """A map that holds for a copy of the JAX model.

    Attributes:
        weights: The WeightMap.
        remark: What was patched.
    """

    weights: Any
    remark: str


def map_patched(
    given: tuple[Any, Any], inputs: tuple[Any, ...], stop: Any, map_weights: Callable[..., Any]
) -> Patched | None:
    """Map the weights of a pair that stopped the search, with torch's configuration in a copy of JAX's layers.

    A norm's epsilon, a convolution's padding and the like change what a layer computes, so that the search finds the
    next weight's operation in no torch layer. Layers of one class and size are patched where all that torch has of
    them are configured alike, and the two that the search stopped at. The map is proven on the copy, and says nothing
    of whether the models themselves agree.

    Args:
        given: Both models as their user gave them.
        inputs: NumPy pytrees.
        stop: The Stop of the MappingError.
        map_weights: `parity.convert.map_weights`.

    Returns:
        The map and what was patched; None where no patch fits or none helps.
    """
    torch, jax = as_torch_side(given[0]), as_jax_side(given[1])
    if stop is None or torch.kind != "module" or jax.kind != "nnx":
        return None
    from parity.sides.nnx_copies import parts, patched

    patches, told = _patches(torch.model, parts(jax.module), stop)
    if not patches:
        return None
    copy = replace(jax, module=patched(jax.module, patches))
    try:
        weights = map_weights(given[0], copy, *inputs)
    except Exception:
        # A copy that cannot be mapped, or cannot even run, was an experiment: the first error stands.
        return None
    text = "; ".join(f"{cause} ({len(places)} of jax: {', '.join(places[:3])})" for cause, places in told.items())
    return Patched(
        weights, f"weights: mapped with torch's configuration in a copy of jax, the models compared as they are: {text}"
    )


def _patches(model: Any, parts: Mapping[str, Any], stop: Any) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """The attributes to set by JAX path, and the paths by what is said of them."""
    alike: dict[Any, list[Any]] = defaultdict(list)
    by_path = dict(model.named_modules())
    for module in by_path.values():
        own = [*module.parameters(recurse=False), *(b for b in module.buffers(recurse=False) if b.ndim)]
        if own:
            alike[_size(tensor.shape for tensor in own)].append(module)
    patches: dict[str, dict[str, Any]] = {}
    told: dict[str, list[str]] = defaultdict(list)
    for path, layer in parts.items():
        partners = alike.get(_size(np.shape(v) for v in layer.values.values()), [])
        stopped = stop.jax_path == path or stop.jax_path.rpartition(".")[0] == path
        if stopped and stop.torch_path in by_path:
            partners = [by_path[stop.torch_path]]
        wanted = [_wanted(module, layer) for module in partners]
        if wanted and wanted[0] and all(w == wanted[0] for w in wanted):
            patches[path] = {n: v for attributes in wanted[0].values() for n, v in attributes.items()}
            for cause in wanted[0]:
                told[cause].append(path)
    return patches, told


def _wanted(module: Any, layer: Any) -> dict[str, dict[str, Any]]:
    """Torch's configuration as attributes of the JAX layer, by what is said of the difference."""
    from parity.checking.causes.layer_catalogue import configured

    found = {s.cause: dict(s.attributes) for s in configured(module, layer)}
    return {cause: own for cause, own in found.items() if own and not own.keys() & set(INERT)}


def _size(shapes: Any) -> tuple[tuple[int, ...], ...]:
    """The shapes of a layer's leaves, their axes and the leaves in any order."""
    return tuple(sorted(tuple(sorted(shape)) for shape in shapes))
