"""Cases of the fast loops: both sides alike, and each against the readable loop of the other framework."""

import importlib
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs
from parity.cases.classifier import on_digits
from parity.cases.network import training
from parity.data import case_study, digits

STEPS, LANES = 60, 3


def spiral(rng: np.random.Generator, steps: int = STEPS) -> Inputs:
    """What `train_spiral` takes: the page's net and points."""
    study = case_study()
    settings = {"learning_rate": 1.0, "reg": 1e-3, "steps": steps}
    return {"params": study.two_layer, "X": study.X, "y": study.y, **settings}


def network(rng: np.random.Generator, epochs: int = 1) -> Inputs:
    """What `train_network` takes: the book's network on this package's digits."""
    return training(digits(), epochs=epochs)


def lenet(rng: np.random.Generator, steps: int | None = 8) -> Inputs:
    """What `train_lenet` takes: an epoch of digits, or its first steps."""
    given = on_digits(rng)
    images = 2 * given["images"] - 1
    settings = {"labels": given["labels"], "order": given["order"][:steps], "learning_rate": given["learning_rate"]}
    return {"state": given["state"], "images": images, **settings}


def sweep(rng: np.random.Generator, lanes: int = LANES, steps: int = 20) -> Inputs:
    """What `train_seeds` takes: a net drawn anew for each lane, each with a learning rate of its own."""
    shapes = {"W": (2, 100), "b": (100,), "W2": (100, 3), "b2": (3,)}
    drawn = [np.random.default_rng(seed) for seed in range(lanes)]
    params = {name: np.stack([0.01 * lane.normal(size=shape) for lane in drawn]) for name, shape in shapes.items()}
    study = case_study()
    rates = np.geomspace(0.1, 1.0, lanes)
    return {"params": params, "X": study.X, "y": study.y, "learning_rates": rates, "reg": 1e-3, "steps": steps}


def readable(impl: Any, concept: str) -> Any:
    """The pair of the readable loop, on the side of this module."""
    return importlib.import_module(f"{impl.__name__.partition('.')[0]}.{concept}")


def _spiral(impl, **inputs):
    params, losses = impl.train_spiral(**inputs)
    return {"params": params, "losses": losses}


def _network(impl, **inputs):
    params, counts = impl.train_network(**inputs)
    return {"params": params, "counts": counts}


def _lenet(impl, **inputs):
    state, losses = impl.train_lenet(**inputs)
    return {"state": state, "losses": losses}


def _seeds(impl, **inputs):
    params, losses = impl.train_seeds(**inputs)
    return {"params": params, "losses": losses.T}  # a curve has its steps in front


def _readable_spiral(impl, **inputs):
    params, losses = readable(impl, "spiral").train(**inputs)
    return {"params": params, "losses": losses}


def _readable_network(impl, **inputs):
    params, counts = readable(impl, "network").train_epochs(**inputs)
    return {"params": params, "counts": counts}


def _readable_lenet(impl, **inputs):
    state, losses = readable(impl, "classifier").train(**inputs)
    return {"state": state, "losses": losses}


def _single_seeds(impl, params, X, y, learning_rates, **settings):
    """Lane after lane by the readable loop."""
    train = readable(impl, "spiral").train
    lanes = [
        train({name: value[i] for name, value in params.items()}, X, y, learning_rate=learning_rates[i], **settings)
        for i in range(len(learning_rates))
    ]
    stack = importlib.import_module("torch" if impl.__name__.startswith("torch") else "jax.numpy").stack
    ends = {name: stack([end[name] for end, _ in lanes]) for name in params}
    return {"params": ends, "losses": stack([losses for _, losses in lanes]).T}


def crossed(fast, slow, *, fast_on):
    """One side's fast loop against the other's readable one."""
    return lambda impl, **inputs: (fast if impl.__name__.startswith(fast_on) else slow)(impl, **inputs)


def _cases(name, inputs, fast, slow, carry):
    shared: dict[str, Any] = {"covers": (name,), "wrt": (), "stage": "curve", "carry": (carry,)}
    return (
        Case(f"loops.{name}", inputs, fast, **shared),
        *(
            Case(f"loops.{name}_in_{side}", inputs, crossed(fast, slow, fast_on=side), forced=False, **shared)
            for side in ("torch", "jax")
        ),
    )


CASES = (
    *_cases("train_spiral", spiral, _spiral, _readable_spiral, "params"),
    *_cases("train_network", network, _network, _readable_network, "params"),
    *_cases("train_lenet", lenet, _lenet, _readable_lenet, "state"),
    *_cases("train_seeds", sweep, _seeds, _single_seeds, "params"),
)
