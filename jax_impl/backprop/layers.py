"""The network that backpropagation differentiates: layers of any activation, under the quadratic cost.

Vectors are columns, as in the book: a layer holds (n, m), one column for each of m examples; w is (n, n before),
b is (n, 1).

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 2.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

__all__ = [
    "Activation",
    "SIGMOID",
    "LINEAR",
    "SQUARE",
    "modify_neuron",
    "Parameters",
    "Layers",
    "feedforward",
    "cost_gradient",
    "cost",
]


class Activation(NamedTuple):
    """An activation function and its derivative, both elementwise in a layer's weighted inputs z, shape (n, m).

    Examples:
        >>> cube = Activation(lambda z: z**3, lambda z: 3 * z**2)
        >>> cube.f(array([[2.0]])).tolist(), cube.derivative(array([[2.0]])).tolist()
        ([[8.0]], [[12.0]])
    """

    f: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


SIGMOID = Activation(jax.nn.sigmoid, lambda z: jax.nn.sigmoid(z) * (1 - jax.nn.sigmoid(z)))
LINEAR = Activation(lambda z: z, jnp.ones_like)
SQUARE = Activation(jnp.square, lambda z: 2 * z)

Activations = tuple[Activation, ...] | None  # one a layer; None: sigmoid everywhere


def modify_neuron(activation: Activation, index: int, other: Activation) -> Activation:
    """Give one neuron of a layer another activation: backpropagation then uses its f' in place of its sigma'.

    Args:
        activation: the layer's.
        index: which neuron, from 0.
        other: the neuron's own.

    Returns:
        The layer's new activation; applied to a layer without that neuron it raises a ValueError.

    Examples:
        >>> modify_neuron(LINEAR, 1, SQUARE).f(array([[2.0], [3.0]])).tolist()
        [[2.0], [9.0]]

    References:
        Nielsen, chapter 2, exercise "Backpropagation with a single modified neuron".
    """

    def mix(usual: Callable[[Array], Array], own: Callable[[Array], Array]) -> Callable[[Array], Array]:
        def apply(z: Float[Array, "n m"]) -> Float[Array, "n m"]:
            if not 0 <= index < z.shape[0]:
                raise ValueError(f"modify_neuron: got index {index}, wanted 0 to {z.shape[0] - 1}; pick a neuron")
            return usual(z).at[index].set(own(z[index]))

        return apply

    return Activation(mix(activation.f, other.f), mix(activation.derivative, other.derivative))


class Parameters(NamedTuple):
    """Every layer's weights (n, n before) and biases (n, 1); a gradient has the same form.

    Examples:
        >>> [w.shape[0] for w in Parameters([array([[1.0, 2.0]])], [array([[0.0]])]).weights]
        [1]
    """

    weights: Sequence[Float[Array, "_ _"]]
    biases: Sequence[Float[Array, "_ 1"]]


class Layers(NamedTuple):
    """What a forward pass computes: z of every layer after the input, and a of every layer, the input first.

    Examples:
        >>> layers = feedforward(Parameters([array([[1.0]])], [array([[-2.0]])]), array([[2.0]]))
        >>> [z.tolist() for z in layers.z], [a.tolist() for a in layers.a]
        ([[[0.0]]], [[[2.0]], [[0.5]]])
    """

    z: tuple[Float[Array, "_ m"], ...]
    a: tuple[Float[Array, "_ m"], ...]


@partial(jax.jit, static_argnames=("activations",))
def feedforward(params: Parameters, x: Float[Array, "inputs m"], *, activations: Activations = None) -> Layers:
    """Carry the input through every layer.

    z^l = w^l a^{l-1} + b^l,  a^l = sigma(z^l)

    Args:
        params: weights and biases, floating point.
        x: (inputs, m), one column an example.
        activations: a tuple, one a layer; None: sigmoid everywhere.

    Returns:
        The weighted inputs z and the activations a.

    Raises:
        ValueError: the layers do not fit one another.

    Examples:
        >>> params = Parameters([array([[1.0, 1.0]])], [array([[-1.0]])])
        >>> feedforward(params, array([[2.0], [3.0]]), activations=(SQUARE,)).a[-1].tolist()
        [[16.0]]

    References:
        Nielsen, chapter 2, eq. 25.
    """
    zs, layers = [], [x]
    for w, b, activation in _layers(params, x, activations):
        zs.append(w @ layers[-1] + b)  # (n, m)
        layers.append(activation.f(zs[-1]))
    return Layers(tuple(zs), tuple(layers))


def cost_gradient(a: Float[Array, "n m"], y: Float[Array, "n m"]) -> Float[Array, "n m"]:
    """Differentiate each example's quadratic cost by the network's outputs.

    grad_a C_x = a^L - y

    Args:
        a: (n, m), the outputs.
        y: (n, m), what they should be.

    Returns:
        (n, m).

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> cost_gradient(array([[0.75]]), array([[1.0]])).tolist()
        [[-0.25]]

    References:
        Nielsen, chapter 2, "The four fundamental equations behind backpropagation", under BP1.
    """
    if a.shape != y.shape:
        raise ValueError(f"targets: got y {tuple(y.shape)}, wanted {tuple(a.shape)}, one column an example; transpose?")
    return a - y


@partial(jax.jit, static_argnames=("activations",))
def cost(
    params: Parameters, x: Float[Array, "inputs m"], y: Float[Array, "outputs m"], *, activations: Activations = None
) -> Float[Array, ""]:
    """Average the quadratic cost: a mean over examples and a function of the outputs alone, the two assumptions.

    C = 1/(2m) sum_x ||y(x) - a^L(x)||^2

    Args:
        params: weights and biases, floating point.
        x: (inputs, m), one column an example.
        y: (outputs, m), what the outputs should be.
        activations: a tuple, one a layer; None: sigmoid everywhere.

    Returns:
        A scalar.

    Examples:
        >>> params = Parameters([array([[1.0]])], [array([[0.0]])])
        >>> float(cost(params, array([[3.0]]), array([[1.0]]), activations=(LINEAR,)))
        2.0

    References:
        Nielsen, chapter 2, eq. 26.
    """
    outputs = feedforward(params, x, activations=activations).a[-1]
    return jnp.sum(cost_gradient(outputs, y) ** 2) / (2 * x.shape[1])


def _layers(params: Parameters, x: Array, activations: Activations) -> list[tuple[Array, Array, Activation]]:
    activations = (SIGMOID,) * len(params.weights) if activations is None else activations
    if not len(params.weights) == len(params.biases) == len(activations) > 0:
        raise ValueError(
            f"layers: got {len(params.weights)} weights, {len(params.biases)} biases, {len(activations)} activations, "
            "wanted as many of each, one or more; add what is missing"
        )
    width, stack = x.shape[0], list(zip(params.weights, params.biases, activations, strict=True))
    for layer, (w, b, _) in enumerate(stack):
        if tuple(w.shape[1:]) != (width,) or tuple(b.shape) != (w.shape[0], 1):
            raise ValueError(
                f"layer {layer}: got weights {tuple(w.shape)} and biases {tuple(b.shape)}, "
                f"wanted (n, {width}) and (n, 1); vectors are columns, transpose?"
            )
        width = w.shape[0]
    return stack
