"""Gradient descent: both of the book's surfaces, their gradients, and every way down them."""

from functools import partial
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs

SURFACES = ("valley", "false_minima")
RATES = (0.01, 0.1, 0.25, 0.45, 0.5, 0.75, 0.95, 1.0)


def _points(rng: np.random.Generator) -> Inputs:
    return {"v": rng.uniform(-1, 1, size=(12, 2)), "dv": 0.1 * rng.normal(size=(12, 2))}


def _drawn(surface: str, edge: float) -> Case:
    """The grid on which the book draws a surface."""
    axis = np.arange(-edge, edge, 0.1)
    return Case(
        f"descent.surface_of_{surface}",
        lambda rng: {"v1": axis, "v2": axis},
        call=lambda impl, v1, v2: impl.surface(getattr(impl, surface), v1, v2),
        covers=("surface", surface),
    )


def _somewhere(rng: np.random.Generator, surface: str) -> Inputs:
    return {"v": rng.uniform(-1, 1, size=(12, 2)), "surface": surface}


def _slopes(impl: Any, v: Any, surface: str) -> dict[str, Any]:
    value, gradient = impl.value_and_gradient(getattr(impl, surface), v)
    return {"value": value, "gradient": gradient}


def _descent(rule: str) -> Any:
    def call(impl: Any, v: Any, surface: str, **settings: Any) -> dict[str, Any]:
        return getattr(impl, rule)(v, getattr(impl, surface), **settings)._asdict()

    return call


def _curve(name: str, rule: str, surface: str, v: Any, **settings: Any) -> Case:
    return Case(
        f"descent.{name}",
        lambda rng: {"v": np.array(v), "surface": surface, **settings},
        call=_descent(rule),
        covers=("Descent", rule, surface),
        wrt=(),
        stage="curve",
        carry=("v",),
    )


CASES = (
    Case("descent.valley", lambda rng: {"v": rng.uniform(-1, 1, size=(7, 2))}),
    Case("descent.false_minima", lambda rng: {"v": rng.uniform(-5, 5, size=(7, 2))}),
    _drawn("valley", 1.0),
    _drawn("false_minima", 5.0),
    *(
        Case(
            f"descent.gradient_of_{surface}",
            partial(_somewhere, surface=surface),
            call=_slopes,
            covers=("value_and_gradient", surface),
        )
        for surface in SURFACES
    ),
    Case(
        "descent.predicted_and_actual_change",
        _points,
        call=lambda impl, v, dv: {
            name: {
                "predicted": impl.predicted_change(getattr(impl, name), v, dv),
                "actual": impl.actual_change(getattr(impl, name), v, dv),
            }
            for name in SURFACES
        },
        covers=("actual_change", "predicted_change"),
    ),
    Case(
        "descent.optimal_step",
        lambda rng: {"v": rng.uniform(-1, 1, size=(12, 2)), "size": 0.05},
        call=lambda impl, v, size: {name: impl.optimal_step(getattr(impl, name), v, size=size) for name in SURFACES},
        covers=("OptimalStep", "optimal_step"),
    ),
    _curve("down_the_valley", "descend", "valley", [0.9, -0.7], learning_rate=0.1, steps=100),
    _curve("into_a_local_minimum", "descend", "false_minima", [0.5, -0.5], learning_rate=0.1, steps=200),
    _curve("into_the_deepest_minimum", "descend", "false_minima", [-4.0, -0.5], learning_rate=0.1, steps=200),
    _curve(
        "many_balls", "descend", "false_minima", [[-4, 4], [-2, 1], [1, -1], [3, 2.0]], learning_rate=0.1, steps=200
    ),
    Case(
        "descent.learning_rates",
        lambda rng: {
            "v": np.tile([0.9, -0.7], (len(RATES), 1)),
            "surface": "valley",
            "learning_rates": np.array(RATES),
            "steps": 60,
        },
        call=_descent("sweep"),
        covers=("Descent", "sweep"),
        wrt=(),
        stage="curve",
        carry=("v",),
    ),
    Case(
        "descent.learning_rates_with_false_minima",
        lambda rng: {
            "v": rng.uniform(-4, 4, size=(6, 2)),
            "surface": "false_minima",
            "learning_rates": np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.0]),
            "steps": 60,
        },
        call=_descent("sweep"),
        covers=("Descent", "sweep"),
        wrt=(),
        stage="curve",
        carry=("v",),
    ),
    _curve("fixed_steps", "descend_by_fixed_steps", "valley", [0.9, -0.7], size=0.05, steps=20),
)
