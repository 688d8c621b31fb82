"""Gates: every circuit of the page at the page's numbers, by hand and by autograd, and the same circuits at random."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs, Published

PAGE = "CS231n optimization-2"
SIMPLE = f"{PAGE}, simple expressions"
COMPOUND = f"{PAGE}, compound expressions"
MODULAR = f"{PAGE}, sigmoid example"
PATTERNS = f"{PAGE}, patterns in backward flow"

NEURON = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}
NEURON_VALUES = {"w0x0": -2, "w1x1": 6, "sum": 4, "dot": 1, "negated": -1, "exponential": 0.37, "denominator": 1.37}
NEURON_GRADIENTS = {
    "f": 1.0, "denominator": -0.53, "exponential": -0.53, "negated": -0.20, "dot": 0.20, "sum": 0.20, "w0x0": 0.20,
    "w1x1": 0.20, "w0": -0.20, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.20,
}  # fmt: skip

UNARY = {
    "reciprocal": lambda impl: impl.reciprocal,
    "exponential": lambda impl: impl.exponential,
    "sigmoid": lambda impl: impl.sigmoid,
    "shift": lambda impl: impl.shift(1.5),
    "scale": lambda impl: impl.scale(-2.5),
}
BINARY = ("add", "multiply", "maximum")


def _both_ways(circuit: str) -> Any:
    def call(impl: Any, **inputs: Any) -> dict[str, Any]:
        nodes = impl.CIRCUITS[circuit]
        return {"by_hand": impl.backpropagate(nodes, inputs), "autograd": impl.autograd(nodes, inputs)}

    return call


def _circuit(
    name: str,
    circuit: str,
    inputs: Mapping[str, float],
    source: str = "",
    *,
    decimals: int = 0,
    values: Mapping[str, float] | None = None,
    gradients: Mapping[str, float] | None = None,
) -> Case:
    """A circuit at the numbers of the page, which it prints to that many decimals."""
    printed = [("values", values or {}), ("gradients", gradients or {})]
    return Case(
        f"gates.{name}",
        lambda rng: {node: np.array(float(value)) for node, value in inputs.items()},
        call=_both_ways(circuit),
        covers=("CIRCUITS", "Flow", "Node", "autograd", "backpropagate"),
        wrt=(),
        stage="gradient",
        published=tuple(
            Published(f"{way}.{kind}.{node}", (number,), decimals, source)
            for way in ("by_hand", "autograd")
            for kind, numbers in printed
            for node, number in numbers.items()
        ),
    )


def _at_random(circuit: str, *names: str) -> Case:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {name: rng.normal(size=(3, 5)) for name in names}

    return Case(
        f"gates.{circuit}_at_random",
        inputs,
        call=_both_ways(circuit),
        covers=("CIRCUITS", "Flow", "Node", "autograd", "backpropagate"),
        wrt=(),
        stage="gradient",
    )


def _through(gate: Any, *inputs: Any, upstream: Any) -> dict[str, Any]:
    value, backward = gate(*inputs)
    return {"value": value, "gradients": backward(upstream)}


def _matmul(impl: Any, W: Any, X: Any, upstream: Any) -> dict[str, Any]:
    nodes, inputs = impl.CIRCUITS["matmul"], {"W": W, "X": X}
    return {
        "by_hand": impl.backpropagate(nodes, inputs, upstream),
        "autograd": impl.autograd(nodes, inputs, upstream),
        "gate": _through(impl.matmul, W, X, upstream=upstream),
    }


def _weights_by_data(impl: Any, W: Any, X: Any, upstream: Any) -> dict[str, Any]:
    nodes = impl.CIRCUITS["matmul"]
    return {
        name: impl.backpropagate(nodes, {"W": W, "X": data}, upstream).gradients["W"]
        for name, data in {"data": X, "data_times_1000": 1000 * X}.items()
    }


CASES = (
    Case(
        "gates.binary",
        lambda rng: {name: rng.normal(size=(3, 5)) for name in ("x", "y", "upstream")},
        call=lambda impl, x, y, upstream: {
            name: _through(getattr(impl, name), x, y, upstream=upstream) for name in BINARY
        },
        covers=BINARY,
    ),
    Case(
        "gates.unary",
        lambda rng: {"x": rng.uniform(0.5, 2.0, size=(3, 5)), "upstream": rng.normal(size=(3, 5))},
        call=lambda impl, x, upstream: {name: _through(of(impl), x, upstream=upstream) for name, of in UNARY.items()},
        covers=tuple(UNARY),
    ),
    _circuit(
        "product",
        "product",
        {"x": 4, "y": -3},
        SIMPLE,
        values={"f": -12},
        gradients={"x": -3, "y": 4},
    ),
    _circuit("sum", "sum", {"x": 4, "y": -3}, SIMPLE, gradients={"x": 1, "y": 1}),
    _circuit("max", "max", {"x": 4, "y": 2}, SIMPLE, values={"f": 4}, gradients={"x": 1, "y": 0}),
    # Where x = y the formula 1(x >= y), 1(y >= x) gives both inputs all of the gradient, autograd half of it.
    _circuit("max_at_a_tie", "max", {"x": 3, "y": 3}),
    _circuit(
        "sum_times",
        "sum_times",
        {"x": -2, "y": 5, "z": -4},
        COMPOUND,
        values={"q": 3, "f": -12},
        gradients={"x": -4, "y": -4, "z": 3, "q": -4, "f": 1},
    ),
    _circuit(
        "neuron",
        "neuron",
        NEURON,
        MODULAR,
        decimals=2,
        values={**NEURON_VALUES, "f": 0.73},
        gradients=NEURON_GRADIENTS,
    ),
    _circuit(
        "sigmoid_neuron",
        "sigmoid_neuron",
        NEURON,
        MODULAR,
        decimals=2,
        values={"dot": 1, "f": 0.73},
        gradients={name: NEURON_GRADIENTS[name] for name in ("dot", *NEURON)},
    ),
    _circuit("staged", "staged", {"x": 3, "y": -4}),
    _circuit(
        "patterns",
        "patterns",
        {"x": 3, "y": -4, "z": 2, "w": -1},
        PATTERNS,
        values={"xy": -12, "max": 2, "sum": -10, "f": -20},
        gradients={"x": -8, "y": 6, "z": 2, "w": 0, "xy": 2, "max": 2, "sum": 2, "f": 1},
    ),
    _at_random("product", "x", "y"),
    _at_random("max", "x", "y"),
    _at_random("sum_times", "x", "y", "z"),
    _at_random("neuron", *NEURON),
    _at_random("sigmoid_neuron", *NEURON),
    _at_random("staged", "x", "y"),
    _at_random("patterns", "x", "y", "z", "w"),
    Case(
        "gates.matmul",
        lambda rng: {
            "W": rng.normal(size=(5, 10)),
            "X": rng.normal(size=(10, 3)),
            "upstream": rng.normal(size=(5, 3)),
        },
        call=_matmul,
        covers=("matmul", "CIRCUITS", "autograd", "backpropagate"),
        wrt=(),
        stage="gradient",
    ),
    Case(
        "gates.data_times_1000",
        lambda rng: {
            "W": rng.normal(size=(3, 4)),
            "X": rng.normal(size=(4, 20)),
            "upstream": rng.normal(size=(3, 20)),
        },
        call=_weights_by_data,
        covers=("backpropagate",),
        wrt=(),
        stage="gradient",
    ),
)
