"""Some steps of an optax transform as a function of arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optax


def steps(transform: optax.GradientTransformation) -> Callable[..., dict[str, Any]]:
    """run(parameters, gradients) -> parameters afterwards; gradients are one dict a step."""

    def run(parameters: Mapping[str, Any], gradients: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        own: Any = dict(parameters)
        state = transform.init(own)
        for step in gradients:
            updates, state = transform.update(dict(step), state, own)
            own = optax.apply_updates(own, updates)
        return own

    return run
