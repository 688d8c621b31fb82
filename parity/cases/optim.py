"""Cases of the optimizers: a few steps of each on a matrix and a vector, and the parts that they share."""

from functools import partial
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs

STEPS = 4

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "SGD": {"dampened": {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}},
    "Adam": {"amsgrad": {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}},
    "AdamW": {"default": {"lr": 0.1}},
    "Adamax": {"default": {"lr": 0.1}},
    "NAdam": {"decoupled": {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}},
    "RAdam": {"rectified": {"lr": 0.1, "betas": (0.9, 0.95)}},
    "RMSprop": {"centered": {"centered": True, "momentum": 0.9}},
    "Adagrad": {"decaying": {"lr_decay": 0.5, "initial_accumulator_value": 0.1}},
    "Adadelta": {"default": {}},
    "ASGD": {"averaging": {"lambd": 0.1, "t0": 1}},
    "Rprop": {"default": {}},
    "Adafactor": {"decaying": {"weight_decay": 0.1}},
    "SparseAdam": {"default": {"lr": 0.1}},
}


def gradients(rng: np.random.Generator, **options: Any) -> Inputs:
    """Parameters, and the gradients of every step, some rows of them zero."""
    params = {"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    stream = {name: rng.normal(size=(STEPS, *value.shape)) for name, value in params.items()}
    stream["w"][:2, 1] = 0
    return {"params": params, "stream": stream, **options}


def stepped(impl: Any, params: Any, stream: Any, *, optimizer: str, **options: Any) -> dict[str, Any]:
    """The parameters after the steps."""
    made = getattr(impl, optimizer)(**options)
    state = made.init(params)
    for t in range(STEPS):
        updates, state = made.update({name: g[t] for name, g in stream.items()}, state, params)
        params = {name: p + updates[name] for name, p in params.items()}
    return params


def valley(impl: Any, params: Any, hessian: Any) -> dict[str, Any]:
    """Where two calls of L-BFGS lead in a quadratic bowl."""
    optimizer = impl.LBFGS({"w": params}, max_iter=3, line_search_fn="strong_wolfe")

    def closure(params: Any) -> tuple[Any, dict[str, Any]]:
        w = params["w"]
        return 0.5 * (w @ (hessian @ w)), {"w": hessian @ w}

    costs = [optimizer.step(closure) for _ in range(2)]
    return {"first": costs[0], "second": costs[1], "w": optimizer.params["w"]}


def searched(impl: Any) -> dict[str, Any]:
    """A step along a line, from a start that falls too short."""

    def line(t: float) -> Any:
        return impl.Point(t, (t - 9.0) ** 2, None, 2 * (t - 9.0))

    best, evaluations = impl.strong_wolfe(line, line(0.0), 0.1, size=1.0)
    return {"step": np.float64(best.t), "evaluations": evaluations}


CASES = (
    Case(
        name="optim.decayed",
        inputs=lambda rng: {"g": rng.normal(size=5), "p": rng.normal(size=5), "weight_decay": 0.1},
    ),
    Case(name="optim.shrinkage", inputs=lambda rng: {"p": rng.normal(size=5), "rate": 0.25}),
    Case(
        name="optim.bias_correction",
        inputs=lambda rng: {"t": 3.0},
        call=lambda impl, t: {"filled": np.float64(impl.bias_correction(0.5, t))},
        wrt=(),
        jit=False,
    ),
    *(
        Case(
            name=f"optim.{optimizer}_{name}",
            inputs=partial(gradients, optimizer=optimizer, **options),
            call=stepped,
            covers=(optimizer, "Optimizer", "lift", "at_least", "within_unit"),
            wrt=(),
            stage="update",
        )
        for optimizer, variants in VARIANTS.items()
        for name, options in variants.items()
    ),
    Case(
        name="optim.Muon",
        inputs=lambda rng: {"params": {"w": rng.normal(size=(4, 3))}, "stream": {"w": rng.normal(size=(STEPS, 4, 3))}},
        call=partial(stepped, optimizer="Muon", lr=0.1),
        wrt=(),
        stage="update",
    ),
    Case(name="optim.orthogonalized", inputs=lambda rng: {"x": rng.normal(size=(5, 3))}, wrt=()),
    Case(
        name="optim.LBFGS",
        inputs=lambda rng: {"params": rng.normal(size=3), "hessian": np.diag([1.0, 2.0, 3.0])},
        call=valley,
        wrt=(),
        stage="update",
        jit=False,
    ),
    Case(
        name="optim.strong_wolfe",
        call=searched,
        covers=("strong_wolfe", "cubic_minimum", "Point"),
        wrt=(),
        jit=False,
    ),
)
