"""Cases of averaging: equal and fading averages of a model that moves, and the rate at which it is averaged."""

from functools import partial
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs

UPDATES = 6


def models(rng: np.random.Generator) -> Inputs:
    """A weight and a statistic at every update."""
    return {"weights": rng.normal(size=(UPDATES, 3, 2)), "means": rng.normal(size=(UPDATES, 4))}


def averaged(impl: Any, *, options: Any, weights: Any, means: Any) -> dict[str, Any]:
    """The average after every update, from a start that is not the first model."""
    rule = impl.AveragedModel(**options(impl))
    average = rule.init({"weight": weights[-1]}, {"mean": means[-1]})
    seen = {}
    for step in range(UPDATES):
        average = rule.update_parameters(average, {"weight": weights[step]}, {"mean": means[step]})
        # torch goes on in the same tensors
        seen[f"{step}"] = {"weight": average["params"]["weight"] + 0, "mean": average["buffers"]["mean"] + 0}
    return seen | {"n_averaged": average["n_averaged"]}


def pair_of(rng: np.random.Generator) -> Inputs:
    """An average of seven models, and the next one."""
    return {"averaged": rng.normal(size=(4, 3)), "current": rng.normal(size=(4, 3)), "n_averaged": np.array(7)}


RULES: dict[str, Any] = {
    "equal": lambda impl: {},
    "equal_with_buffers": lambda impl: {"use_buffers": True},
    "fading": lambda impl: {"avg_fn": impl.get_ema_avg_fn(0.9), "use_buffers": True},
    "fading_lists": lambda impl: {"multi_avg_fn": impl.get_ema_multi_avg_fn(0.9), "use_buffers": True},
    "fading_fast_lists": lambda impl: {"multi_avg_fn": impl.get_ema_multi_avg_fn(0.2)},
    "equal_lists": lambda impl: {"multi_avg_fn": impl.get_swa_multi_avg_fn()},
}

CASES = (
    *(
        Case(
            name=f"averaging.{name}",
            inputs=models,
            call=partial(averaged, options=options),
            covers=("AveragedModel",),
            wrt=(),
        )
        for name, options in RULES.items()
    ),
    *(
        Case(
            name=f"averaging.get_{kind}_avg_fn",
            inputs=pair_of,
            call=lambda impl, averaged, current, n_averaged, kind=kind: {
                "average": getattr(impl, f"get_{kind}_avg_fn")()(averaged, current, n_averaged)
            },
        )
        for kind in ("swa", "ema")
    ),
    *(
        Case(
            name=f"averaging.get_{kind}_multi_avg_fn",
            inputs=pair_of,
            call=lambda impl, averaged, current, n_averaged, kind=kind: {
                "average": getattr(impl, f"get_{kind}_multi_avg_fn")()([averaged], [current], n_averaged)[0]
            },
        )
        for kind in ("swa", "ema")
    ),
    *(
        Case(
            name=f"averaging.rate_{strategy}",
            inputs=lambda rng: {"lr": np.array(0.1), "counts": np.arange(30)},
            call=lambda impl, lr, counts, strategy=strategy: {"lr": impl.SWALR(lr, 0.03, 20, strategy)(counts)},
            covers=("SWALR",),
        )
        for strategy in ("cos", "linear")
    ),
)
