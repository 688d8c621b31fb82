"""Two models one of which is a layer itself: both are held in a model of nothing else while their layers are judged."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from parity.numerics import Finding
from parity.sides.held import HELD

MODEL = "the model"
"""What a report calls the layer that is the model."""


def held(weights: Any, *, linen: bool) -> Any:
    """A WeightMap between the two models as they are held.

    Args:
        weights: Between the models as their users have them.
        linen: Whether JAX's leaves begin with their collection.

    Returns:
        The WeightMap.
    """

    def jax(place: str) -> str:
        collection, _, rest = place.partition(".")
        return f"{collection}.{HELD}.{rest}" if linen else f"{HELD}.{place}"

    def torch(place: str) -> str:
        return f"{HELD}.{place}" if place else ""

    rules = tuple(replace(r, torch=torch(r.torch), jax=jax(r.jax), plus=torch(r.plus)) for r in weights.rules)
    paths = weights.jax_paths.items()
    return replace(
        weights,
        rules=rules,
        torch_shapes={torch(n): shape for n, shape in weights.torch_shapes.items()},
        jax_shapes={jax(n): shape for n, shape in weights.jax_shapes.items()},
        jax_paths={jax(n): (path[0], HELD, *path[1:]) if linen else (HELD, *path) for n, path in paths},
        aliases={torch(a): torch(n) for a, n in weights.aliases.items()},
        torch_alone={torch(n): why for n, why in weights.torch_alone.items()},
        jax_alone={jax(n): why for n, why in weights.jax_alone.items()},
    )


def released(findings: Sequence[Finding]) -> list[Finding]:
    """Findings under the names that the models have for their users."""

    def own(text: str) -> str:
        return re.sub(rf"\b{HELD}\b", MODEL, re.sub(rf"\b{HELD}\.", "", text))

    return [
        replace(
            f,
            torch_path=own(f.torch_path),
            jax_path=own(f.jax_path),
            message=own(f.message),
            cause=own(f.cause),
            follows=own(f.follows),
        )
        for f in findings
    ]
