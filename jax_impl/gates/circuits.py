"""Circuits of gates: every node's value going forward and its gradient coming back, by hand and by autograd.

References:
    CS231n, "Backpropagation, Intuitions" (optimization-2).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.gates.elementary import (
    Gate,
    add,
    exponential,
    matmul,
    maximum,
    multiply,
    reciprocal,
    scale,
    shift,
    sigmoid,
)

__all__ = ["Node", "Flow", "CIRCUITS", "backpropagate", "autograd"]


class Node(NamedTuple):
    """One gate of a circuit: the name of its output, the gate, and the names of the nodes that it reads.

    Examples:
        >>> circuit = [Node("xy", multiply, ("x", "y")), Node("f", scale(2.0), ("xy",))]
        >>> float(backpropagate(circuit, {"x": array(3.0), "y": array(-4.0)}).gradients["x"])
        -8.0
    """

    name: str
    gate: Gate
    operands: tuple[str, ...]


class Flow(NamedTuple):
    """Both passes through a circuit: the value of every node by name, and the gradient of the last node by it.

    Examples:
        >>> sorted(backpropagate(CIRCUITS["product"], {"x": array(4.0), "y": array(-3.0)}).values)
        ['f', 'x', 'y']
    """

    values: dict[str, Float[Array, "..."]]
    gradients: dict[str, Float[Array, "..."]]


CIRCUITS: dict[str, tuple[Node, ...]] = {
    "product": (Node("f", multiply, ("x", "y")),),
    "sum": (Node("f", add, ("x", "y")),),
    "max": (Node("f", maximum, ("x", "y")),),
    "sum_times": (Node("q", add, ("x", "y")), Node("f", multiply, ("q", "z"))),
    "neuron": (
        Node("w0x0", multiply, ("w0", "x0")),
        Node("w1x1", multiply, ("w1", "x1")),
        Node("sum", add, ("w0x0", "w1x1")),
        Node("dot", add, ("sum", "w2")),
        Node("negated", scale(-1.0), ("dot",)),
        Node("exponential", exponential, ("negated",)),
        Node("denominator", shift(1.0), ("exponential",)),
        Node("f", reciprocal, ("denominator",)),
    ),
    "sigmoid_neuron": (
        Node("w0x0", multiply, ("w0", "x0")),
        Node("w1x1", multiply, ("w1", "x1")),
        Node("sum", add, ("w0x0", "w1x1")),
        Node("dot", add, ("sum", "w2")),
        Node("f", sigmoid, ("dot",)),
    ),
    "staged": (
        Node("sigy", sigmoid, ("y",)),
        Node("num", add, ("x", "sigy")),
        Node("sigx", sigmoid, ("x",)),
        Node("xpy", add, ("x", "y")),
        Node("xpysqr", multiply, ("xpy", "xpy")),
        Node("den", add, ("sigx", "xpysqr")),
        Node("invden", reciprocal, ("den",)),
        Node("f", multiply, ("num", "invden")),
    ),
    "patterns": (
        Node("xy", multiply, ("x", "y")),
        Node("max", maximum, ("z", "w")),
        Node("sum", add, ("xy", "max")),
        Node("f", scale(2.0), ("sum",)),
    ),
    "matmul": (Node("D", matmul, ("W", "X")),),
}


def backpropagate(
    circuit: Sequence[Node],
    inputs: Mapping[str, Float[Array, "..."]],
    upstream: Float[Array, "..."] | None = None,
) -> Flow:
    """Run a circuit forward, then back through the hand-written gates; gradients add up where a value forks.

    Args:
        circuit: its nodes, each after those that it reads; the last one is the output.
        inputs: the circuit's inputs by name, floating point.
        upstream: the gradient on the output, of its shape; None: ones.

    Returns:
        The value and the gradient of every input and every node, by name.

    Raises:
        ValueError: no nodes, a node that reads a name not known yet, a name used twice, or shapes that do not fit.

    Examples:
        >>> flow = backpropagate(CIRCUITS["sum_times"], {"x": array(-2.0), "y": array(5.0), "z": array(-4.0)})
        >>> float(flow.values["q"]), float(flow.values["f"])
        (3.0, -12.0)
        >>> [float(flow.gradients[name]) for name in ("f", "q", "z", "x", "y")]
        [1.0, -4.0, 3.0, -4.0, -4.0]

    References:
        CS231n optimization-2, "Backprop in practice: Staged computation".
    """
    _check_circuit(circuit, inputs)
    values, backwards = dict(inputs), []
    for node in circuit:
        values[node.name], backward = node.gate(*(values[name] for name in node.operands))
        backwards.append(backward)
    gradients = {name: jnp.zeros_like(value) for name, value in values.items()}
    gradients[circuit[-1].name] = _seed(values[circuit[-1].name], upstream)
    for node, backward in zip(reversed(circuit), reversed(backwards), strict=True):
        for name, gradient in zip(node.operands, backward(gradients[node.name]), strict=True):
            if gradient.shape != values[name].shape:
                raise ValueError(
                    f"circuit node {node.name!r}: got a gradient of shape {tuple(gradient.shape)} for {name!r}, "
                    f"wanted {tuple(values[name].shape)}; gates do not broadcast, expand {name!r} first"
                )
            gradients[name] = gradients[name] + gradient
    return Flow(values, gradients)


def autograd(
    circuit: Sequence[Node],
    inputs: Mapping[str, Float[Array, "..."]],
    upstream: Float[Array, "..."] | None = None,
) -> Flow:
    """Run a circuit forward and let the framework differentiate it: the second witness to `backpropagate`.

    Args:
        circuit: its nodes, each after those that it reads; the last one is the output.
        inputs: the circuit's inputs by name, floating point.
        upstream: the gradient on the output, of its shape; None: ones.

    Returns:
        The value and the gradient of every input and every node, by name.

    Raises:
        ValueError: no nodes, a node that reads a name not known yet, a name used twice, or shapes that do not fit.

    Examples:
        >>> tie = {"x": array(3.0), "y": array(3.0)}
        >>> [float(g) for g in (autograd(CIRCUITS["max"], tie).gradients[name] for name in "xy")]
        [0.5, 0.5]
        >>> [float(g) for g in (backpropagate(CIRCUITS["max"], tie).gradients[name] for name in "xy")]
        [1.0, 1.0]

    References:
        CS231n optimization-2, "Backprop in practice: Staged computation".
    """
    _check_circuit(circuit, inputs)

    def run(nudges: Mapping[str, Array] | None) -> dict[str, Array]:
        values = {name: value + nudges[name] if nudges else value for name, value in inputs.items()}
        for node in circuit:
            value, _ = node.gate(*(values[name] for name in node.operands))
            values[node.name] = value + nudges[node.name] if nudges else value
        return values

    values = run(None)
    # a node in the middle is no argument of any function: its gradient is that of a zero added to it
    output, pull_back = jax.vjp(lambda nudges: run(nudges)[circuit[-1].name], jax.tree.map(jnp.zeros_like, values))
    (gradients,) = pull_back(_seed(output, upstream))
    return Flow(values, gradients)


def _seed(output: Float[Array, "..."], upstream: Float[Array, "..."] | None) -> Float[Array, "..."]:
    if upstream is None:
        return jnp.ones_like(output)
    if upstream.shape != output.shape:
        raise ValueError(f"upstream: got shape {tuple(upstream.shape)}, wanted the output's, {tuple(output.shape)}")
    return upstream


def _check_circuit(circuit: Sequence[Node], inputs: Mapping[str, Array]) -> None:
    if not circuit:
        raise ValueError("circuit: got no nodes, wanted at least one; add a Node(name, gate, operands)")
    known = list(inputs)
    for node in circuit:
        missing = [name for name in node.operands if name not in known]
        if missing:
            raise ValueError(
                f"circuit node {node.name!r}: got only {known}, wanted {missing} too; pass it or list it first"
            )
        if node.name in known:
            raise ValueError(f"circuit node {node.name!r}: the name is taken, wanted a new one; rename the node")
        known.append(node.name)
