"""Backpropagation: each of the four equations alone, and the whole gradient by hand, by autograd and by other means."""

from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs, Published

BOOK = "Nielsen, chapter 2"
WIDTHS = (3, 4, 3, 2)


def network(rng: np.random.Generator, *, examples: int, widths: tuple[int, ...] = WIDTHS) -> Inputs:
    """A small network with weights large enough to bend its sigmoids, and examples in columns."""
    return {
        "params": {
            "weights": [rng.normal(size=shape) for shape in zip(widths[1:], widths[:-1], strict=True)],
            "biases": [rng.normal(size=(width, 1)) for width in widths[1:]],
        },
        "x": rng.normal(size=(widths[0], examples)),
        "y": rng.uniform(size=(widths[-1], examples)),
    }


def _activations(impl: Any, exercise: str) -> tuple[Any, ...] | None:
    if exercise == "linear":
        return (impl.LINEAR,) * 3
    if exercise == "modified neuron":
        return (impl.SIGMOID, impl.modify_neuron(impl.SIGMOID, 1, impl.SQUARE), impl.SIGMOID)
    return None


def _two_gradients(impl: Any, params: Any, x: Any, y: Any, exercise: str = "") -> dict[str, Any]:
    params, activations = impl.Parameters(**params), _activations(impl, exercise)
    return {
        "by_hand": impl.backprop(params, x, y, activations=activations),
        "autograd": impl.autograd(params, x, y, activations=activations),
    }


def _feedforward(impl: Any, params: Any, x: Any, y: Any) -> Any:
    return impl.feedforward(impl.Parameters(**params), x)


def _cost(impl: Any, params: Any, x: Any, y: Any, exercise: str = "") -> Any:
    return impl.cost(impl.Parameters(**params), x, y, activations=_activations(impl, exercise))


def _errors_by_matrices(impl: Any, params: Any, x: Any, y: Any) -> dict[str, Any]:
    layers = impl.feedforward(impl.Parameters(**params), x)
    towards_cost = impl.cost_gradient(layers.a[-1], y)
    matrices = [impl.error_matrix(params["weights"], layers.z, layer=layer) for layer in range(len(layers.z))]
    return {"matrices": matrices, "errors": [matrix @ towards_cost for matrix in matrices]}


def _finite_differences(impl: Any, params: Any, x: Any, y: Any, step: float) -> Any:
    return impl.finite_differences(impl.Parameters(**params), x, y, step=step)


def _finite_difference_errors(impl: Any, params: Any, x: Any, y: Any, steps: Any) -> Any:
    return impl.finite_difference_errors(impl.Parameters(**params), x, y, steps)


def _path_sum(impl: Any, params: Any, x: Any, y: Any, **weight: int) -> Any:
    return impl.path_sum(impl.Parameters(**params), x, y, **weight)


def _normal(**shapes: tuple[int, int]) -> Any:
    return lambda rng: {name: rng.normal(size=shape) for name, shape in shapes.items()}


CASES = (
    Case(
        "backprop.hadamard",
        lambda rng: {"s": np.array([[1.0], [2.0]]), "t": np.array([[3.0], [4.0]])},
        published=(Published("output", (3, 8), 0, f"{BOOK}, eq. 28"),),
    ),
    Case(
        "backprop.vectorized_square",
        lambda rng: {"z": np.array([[2.0], [3.0]])},
        call=lambda impl, z: {"f": impl.SQUARE.f(z)},
        covers=("Activation", "SQUARE"),
        published=(Published("f", (4, 9), 0, f"{BOOK}, eq. 24"),),
    ),
    Case(
        "backprop.activations",
        _normal(z=(4, 5)),
        call=lambda impl, z: {
            name: {"f": activation.f(z), "derivative": activation.derivative(z)}
            for name, activation in {
                "sigmoid": impl.SIGMOID,
                "linear": impl.LINEAR,
                "square": impl.SQUARE,
                "modified": impl.modify_neuron(impl.SIGMOID, 2, impl.SQUARE),
            }.items()
        },
        covers=("Activation", "SIGMOID", "LINEAR", "SQUARE", "modify_neuron"),
    ),
    Case(
        "backprop.feedforward",
        lambda rng: network(rng, examples=5),
        call=_feedforward,
        covers=("Layers", "Parameters", "feedforward"),
        wrt=("params", "x"),
    ),
    Case("backprop.cost_gradient", _normal(a=(2, 5), y=(2, 5))),
    Case("backprop.cost", lambda rng: network(rng, examples=5), call=_cost),
    Case(
        "backprop.cost_with_a_modified_neuron",
        lambda rng: {**network(rng, examples=5), "exercise": "modified neuron"},
        call=_cost,
        covers=("cost", "modify_neuron"),
    ),
    Case("backprop.output_error", _normal(cost_gradient=(2, 5), z=(2, 5))),
    Case("backprop.hidden_error", _normal(w_next=(2, 3), error_next=(2, 5), z=(3, 5))),
    Case("backprop.bias_gradient", _normal(error=(3, 5))),
    Case("backprop.weight_gradient", _normal(a_before=(4, 5), error=(3, 5))),
    Case(
        "backprop.error_matrix",
        lambda rng: network(rng, examples=1),
        call=_errors_by_matrices,
        covers=("cost_gradient", "error_matrix"),
        wrt=(),
        stage="gradient",
    ),
    Case(
        "backprop.one_example",
        lambda rng: network(rng, examples=1),
        call=_two_gradients,
        covers=("autograd", "backprop"),
        wrt=(),
        stage="gradient",
    ),
    Case(
        "backprop.mini_batch",
        lambda rng: network(rng, examples=10, widths=(64, 30, 10)),
        call=_two_gradients,
        covers=("autograd", "backprop"),
        wrt=(),
        stage="gradient",
    ),
    Case(
        "backprop.modified_neuron",
        lambda rng: {**network(rng, examples=5), "exercise": "modified neuron"},
        call=_two_gradients,
        covers=("autograd", "backprop", "modify_neuron"),
        wrt=(),
        stage="gradient",
    ),
    Case(
        "backprop.linear_neurons",
        lambda rng: {**network(rng, examples=5), "exercise": "linear"},
        call=_two_gradients,
        covers=("LINEAR", "autograd", "backprop"),
        wrt=(),
        stage="gradient",
    ),
    # The step is large: to divide by a small one makes rounding large, and there is nothing left to compare.
    Case(
        "backprop.finite_differences",
        lambda rng: {**network(rng, examples=5), "step": 0.5},
        call=_finite_differences,
        wrt=(),
        stage="gradient",
    ),
    Case(
        "backprop.finite_difference_errors",
        lambda rng: {**network(rng, examples=5), "steps": np.array([1.0, 0.5, 0.25])},
        call=_finite_difference_errors,
        wrt=(),
        stage="gradient",
    ),
    Case(
        "backprop.path_sum",
        lambda rng: {**network(rng, examples=1), "layer": 0, "j": 2, "k": 1},
        call=_path_sum,
        covers=("Paths", "path_sum"),
        wrt=(),
        stage="gradient",
    ),
    Case(
        "backprop.path_sum_of_the_last_layer",
        lambda rng: {**network(rng, examples=1), "layer": 2, "j": 1, "k": 0},
        call=_path_sum,
        covers=("Paths", "path_sum"),
        wrt=(),
        stage="gradient",
    ),
    Case(
        "backprop.passes",
        lambda rng: {"parameters": 1_000_000},
        published=(
            Published("finite_differences", (1_000_001,), 0, f"{BOOK}, the cost of eq. 46"),
            Published("backpropagation", (2,), 0, f"{BOOK}, one forward pass and one backward"),
        ),
    ),
)
