"""Cases of stochastic gradient descent: every variant of the rule, by hand and by the framework's optimizer."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs, Published
from parity.data import digits, random_orders

EXAMPLES, FEATURES, CLASSES, BATCH = 60, 12, 3, 10

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "weight_decay": {"momentum": 0.9, "weight_decay": 0.01},
    "dampening": {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
}


def training(rng: np.random.Generator, *, batch: int = BATCH, epochs: int = 25, **variant: Any) -> Inputs:
    """A teacher's one-hot answers to random inputs, a student from scratch, and the order of its minibatches."""
    X = rng.normal(size=(EXAMPLES, FEATURES))
    teacher = rng.normal(size=(FEATURES, CLASSES))
    params = {"weight": rng.normal(size=(CLASSES, FEATURES)), "bias": rng.normal(size=CLASSES)}
    return {
        "state": {"params": params, **slots(params, **variant)},
        "X": X,
        "Y": np.eye(CLASSES)[np.argmax(X @ teacher, axis=1)],
        "order": random_orders(EXAMPLES, batch, epochs, rng=rng).reshape(-1, batch),
        "learning_rate": 0.3,
        **variant,
    }


def slots(params: Mapping[str, np.ndarray], *, momentum: float = 0.0, dampening: float = 0.0, **_: Any) -> Inputs:
    """The optimizer's slots before the first step."""
    kept: Inputs = {}
    if momentum:
        kept["momentum_buffer"] = {name: np.zeros_like(value) for name, value in params.items()}
    if dampening:
        kept["step"] = np.array(0)
    return kept


def one_step(rng: np.random.Generator, *, step: int, **variant: Any) -> Inputs:
    """A state in the middle of a run, its slots full, and gradients."""
    shapes = {"weight": (CLASSES, FEATURES), "bias": (CLASSES,)}

    def draw() -> dict[str, np.ndarray]:
        return {name: rng.normal(size=shape) for name, shape in shapes.items()}

    state: Inputs = {"params": draw(), **slots(draw(), **variant)}
    if "momentum_buffer" in state:
        state["momentum_buffer"] = draw()
    if "step" in state:
        state["step"] = np.array(step)
    return {"state": state, "gradients": draw(), "learning_rate": 0.3, **variant}


def nielsen(rng: np.random.Generator, *, batch: int, steps: int, learning_rate: float) -> Inputs:
    """Nielsen's exercise, a network of two layers: the pixels of a digit, and ten sigmoid neurons."""
    data = digits()
    params = {"weight": rng.normal(size=(10, 64)), "bias": rng.normal(size=10)}
    return {
        "state": {"params": params},
        "X": data.train_images,
        "Y": np.eye(10)[data.train_labels],
        "order": random_orders(1500, batch, 1, rng=rng).reshape(-1, batch)[:steps],
        "learning_rate": learning_rate,
    }


def run(function: str) -> Any:
    """The case's call: one of the three loops, its results by name."""
    return lambda impl, **inputs: dict(zip(("state", "losses"), getattr(impl, function)(**inputs), strict=True))


def in_numpy(inputs: Inputs) -> dict[str, np.ndarray]:
    """The same run by NumPy alone, its gradient from equations BP1, BP3 and BP4 of Nielsen's second chapter."""
    X, Y, momentum = inputs["X"], inputs["Y"], inputs.get("momentum", 0.0)
    w = {name: np.array(value) for name, value in inputs["state"]["params"].items()}
    v: dict[str, np.ndarray] = {}
    losses = []
    for rows in inputs["order"]:
        x, y = X[rows], Y[rows]
        a = 1 / (1 + np.exp(-(x @ w["weight"].T + w["bias"])))
        losses.append(((y - a) ** 2).sum() / (2 * len(rows)))
        delta = (a - y) * a * (1 - a) / len(rows)  # (batch, classes)
        for name, gradient in {"weight": delta.T @ x, "bias": delta.sum(axis=0)}.items():
            g = gradient + inputs.get("weight_decay", 0.0) * w[name]
            v[name] = momentum * v[name] + (1 - inputs.get("dampening", 0.0)) * g if name in v else g
            w[name] = w[name] - inputs["learning_rate"] * (
                g + momentum * v[name] if inputs.get("nesterov") else v[name]
            )
    return {"losses": np.array(losses)}


CASES = (
    Case(
        name="sgd.cost",
        inputs=lambda rng: {
            "params": {"weight": rng.normal(size=(3, 5)), "bias": rng.normal(size=3)},
            "X": rng.normal(size=(8, 5)),
            "Y": rng.uniform(size=(8, 3)),
        },
    ),
    Case(
        name="sgd.updates_per_epoch",
        inputs=lambda rng: {"examples": 60_000, "batch_size": 10},
        call=lambda impl, **inputs: {"cheaper": impl.updates_per_epoch(**inputs)},
        wrt=(),
        jit=False,
        published=(Published("cheaper", (6000,), 0, 'Nielsen, chapter 1, "Learning with gradient descent"'),),
    ),
    Case(
        name="sgd.minibatches",
        inputs=lambda rng: {"permutation": np.stack([rng.permutation(20) for _ in range(3)]), "batch_size": 5},
        wrt=(),
    ),
    Case(
        name="sgd.minibatch_step",
        inputs=lambda rng: {
            "params": {"weight": rng.normal(size=(3, 5)), "bias": rng.normal(size=3)},
            "X": rng.normal(size=(10, 5)),
            "Y": rng.uniform(size=(10, 3)),
            "learning_rate": 3.0,
        },
        stage="update",
    ),
    Case(
        name="sgd.initial_state",
        inputs=lambda rng: {"params": {"w": rng.normal(size=4)}, "momentum": 0.9, "dampening": 0.3},
        wrt=(),
    ),
    Case(
        name="sgd.slots",
        call=lambda impl: {"plain": impl.slots(), "momentum": impl.slots(momentum=0.9)},
        wrt=(),
        jit=False,
    ),
    *(
        Case(
            name=f"sgd.step_{name}",
            inputs=partial(one_step, step=7, **variant),
            call=lambda impl, **inputs: impl.sgd_step(**inputs),
            covers=("sgd_step",),
            stage="update",
        )
        for name, variant in VARIANTS.items()
    ),
    Case(
        name="sgd.first_dampened_step",
        inputs=partial(one_step, step=0, **VARIANTS["dampening"]),
        call=lambda impl, **inputs: impl.sgd_step(**inputs),
        covers=("sgd_step",),
        stage="update",
    ),
    *(
        Case(
            name=f"sgd.{how}_{name}",
            inputs=partial(training, **variant),
            call=run(function),
            covers=(function,),
            wrt=(),
            stage="curve",
            carry=("state",),
            witness=in_numpy,
        )
        for how, function in (("hand", "train"), ("optimizer", "train_with_optimizer"))
        for name, variant in VARIANTS.items()
    ),
    Case(
        name="sgd.in_place",
        inputs=training,
        call=run("train_in_place"),
        covers=("train_in_place",),
        wrt=(),
        stage="curve",
        carry=("state",),
        witness=in_numpy,
    ),
    Case(
        name="sgd.digits_minibatches",
        inputs=partial(nielsen, batch=20, steps=75, learning_rate=3.0),
        call=run("train"),
        covers=("train",),
        wrt=(),
        stage="curve",
        carry=("state",),
        witness=in_numpy,
    ),
    Case(
        name="sgd.digits_online",
        inputs=partial(nielsen, batch=1, steps=300, learning_rate=0.3),
        call=run("train"),
        covers=("train",),
        wrt=(),
        stage="curve",
        carry=("state",),
        witness=in_numpy,
    ),
)
