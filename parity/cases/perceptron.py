"""Perceptrons: every decision and circuit of the chapter, sigmoid neurons, and how one kind becomes the other."""

from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs, Published

BOOK = "Nielsen, chapter 1"
BITS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
FACTORS = np.array([[(n >> place) & 1 for place in (2, 1, 0)] for n in range(8)], dtype=float)  # weather first


def network(rng: np.random.Generator) -> Inputs:
    """Three layers, and inputs that leave no weighted input near 0 in the first."""
    shapes = ((4, 5), (3, 4), (2, 3))
    layers = [(rng.normal(size=shape), rng.normal(size=shape[0])) for shape in shapes]
    return {"x": rng.uniform(size=(6, 5)), "layers": layers}


def _changes(rng: np.random.Generator) -> Inputs:
    x, w, dw = rng.normal(size=5), rng.normal(size=5), 0.1 * rng.normal(size=5)
    return {"x": x, "w": w, "b": np.array(0.5), "dw": dw, "db": np.array(0.1)}


def _decisions(impl: Any, x: Any, w: Any) -> dict[str, Any]:
    return {
        "threshold_5": impl.decide(x, w, threshold=5),
        "threshold_3": impl.decide(x, w, threshold=3),
        "bias_minus_5": impl.perceptron(x, w, -5.0),
    }


def _nand(impl: Any, x: Any, w: Any) -> dict[str, Any]:
    return {"z": impl.weighted_input(x, w, 3.0), "output": impl.nand(x)}


def _adders(impl: Any, x: Any) -> dict[str, Any]:
    return {"nand": impl.half_adder(x)._asdict(), "merged": impl.half_adder(x, merged=True)._asdict()}


def _scaled(impl: Any, x: Any, layers: Any, c: float) -> dict[str, Any]:
    bigger = impl.scaled(layers, c)
    return {"layers": bigger, "perceptrons": impl.perceptron_network(x, bigger)}


CASES = (
    Case(
        "perceptron.weighted_input",
        lambda rng: {"x": rng.normal(size=(6, 5)), "w": rng.normal(size=5), "b": 0.5},
    ),
    Case("perceptron.step", lambda rng: {"z": np.array([3.0, 1e-3, 0.0, -1e-3, -1.0])}, wrt=()),
    Case(
        "perceptron.weather",
        lambda rng: {"x": FACTORS, "w": np.array([6.0, 2.0, 2.0])},
        call=_decisions,
        covers=("decide", "perceptron"),
        wrt=(),
    ),
    Case(
        "perceptron.nand",
        lambda rng: {"x": BITS, "w": np.array([-2.0, -2.0])},
        call=_nand,
        covers=("nand", "weighted_input"),
        wrt=(),
        published=(
            Published("z", (3, -1), 0, f"{BOOK}, the NAND gate at 00 and 11", (0, 3), ("z of 00", "z of 11")),
            Published("output", (1, 1, 1, 0), 0, f"{BOOK}, the NAND gate at 00, 01, 10, 11"),
        ),
    ),
    Case("perceptron.half_adder", lambda rng: {"x": BITS}, call=_adders, covers=("Sum", "half_adder"), wrt=()),
    Case(
        "perceptron.sigmoid_neuron",
        lambda rng: {"x": rng.normal(size=(6, 5)), "w": rng.normal(size=5), "b": 0.5},
    ),
    Case(
        "perceptron.output_change",
        _changes,
        covers=("OutputChange", "output_change"),
    ),
    Case("perceptron.perceptron_network", network, wrt=()),
    Case("perceptron.sigmoid_network", network),
    Case(
        "perceptron.scaled",
        lambda rng: {**network(rng), "c": 3.0},
        call=_scaled,
        covers=("perceptron_network", "scaled"),
        wrt=(),
    ),
    Case("perceptron.sharpened", lambda rng: {**network(rng), "scales": np.array([1.0, 2.0, 4.0, 16.0])}),
    Case(
        "perceptron.sharpened_at_zero",
        lambda rng: {
            "x": np.array([[0.5], [0.0], [-0.5]]),
            "layers": [(np.array([[1.0]]), np.array([0.0]))],
            "scales": np.array([1.0, 10.0, 100.0]),
        },
        call=lambda impl, x, layers, scales: {
            "sigmoid": impl.sharpened(x, layers, scales),
            "perceptron": impl.perceptron_network(x, layers),
        },
        covers=("perceptron_network", "sharpened"),
        wrt=(),
    ),
    Case("perceptron.bitwise_output", lambda rng: {"a": np.where(np.eye(10) == 1, 0.99, 0.01)}),
    Case(
        "perceptron.bitwise_output_in_between",
        lambda rng: {"a": rng.uniform(size=(7, 10)), "scale": 8.0},
        call=lambda impl, a, scale: impl.bitwise_output(a, scale=scale),
        covers=("bitwise_output",),
    ),
)
