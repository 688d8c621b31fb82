"""Cases of gradient clipping: by every kind of norm, above and below the bound, and by value."""

import math
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs


def gradients(rng: np.random.Generator) -> Inputs:
    """Gradients of three shapes."""
    return {"gradients": {name: rng.normal(size=shape) for name, shape in (("w", (6, 4)), ("b", (4,)), ("s", ()))}}


def by_norm(impl: Any, gradients: Any, **options: Any) -> dict[str, Any]:
    """The clipped gradients and their norm before, beside a parameter that has none."""
    clipped, norm = impl.clip_grad_norm({**gradients, "unused": None}, **options)
    return {"clipped": {name: g for name, g in clipped.items() if g is not None}, "norm": norm}


def in_numpy(inputs: Inputs) -> dict[str, np.ndarray]:
    """The norm by NumPy, over all elements in one vector."""
    return {"norm": np.asarray(np.linalg.norm(np.concatenate([g.ravel() for g in inputs["gradients"].values()])))}


CASES = (
    Case(
        name="clipping.get_total_norm",
        inputs=gradients,
        call=lambda impl, gradients: {"norm": impl.get_total_norm(gradients)},
        witness=in_numpy,
    ),
    *(
        Case(
            name=f"clipping.norm_{name}",
            inputs=gradients,
            call=lambda impl, gradients, p=p: {"norm": impl.get_total_norm(gradients, p)},
            covers=("get_total_norm",),
        )
        for name, p in (("1", 1.0), ("3", 3.0), ("inf", math.inf), ("minus_inf", -math.inf))
    ),
    Case(
        name="clipping.norm_0",
        inputs=gradients,
        call=lambda impl, gradients: {"norm": impl.get_total_norm(gradients, 0.0)},
        covers=("get_total_norm",),
        wrt=(),  # it counts
    ),
    Case(
        name="clipping.clip_grad_norm",
        inputs=gradients,
        call=lambda impl, gradients: by_norm(impl, gradients, max_norm=0.5),
    ),
    Case(
        name="clipping.within_the_bound",
        inputs=gradients,
        call=lambda impl, gradients: by_norm(impl, gradients, max_norm=100.0),
        covers=("clip_grad_norm",),
    ),
    Case(
        name="clipping.clip_by_the_largest",
        inputs=gradients,
        call=lambda impl, gradients: by_norm(impl, gradients, max_norm=0.5, norm_type=math.inf),
        covers=("clip_grad_norm",),
        wrt=(),  # a rounding decides which gradient is the largest
    ),
    Case(
        name="clipping.clip_grads_with_norm",
        inputs=lambda rng: {**gradients(rng), "total_norm": np.array(3.0)},
        call=lambda impl, gradients, total_norm: impl.clip_grads_with_norm(gradients, 0.25, total_norm),
    ),
    Case(
        name="clipping.clip_grad_value",
        inputs=gradients,
        call=lambda impl, gradients: impl.clip_grad_value(gradients, 0.7),
    ),
)
