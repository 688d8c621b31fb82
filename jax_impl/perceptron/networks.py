"""Networks of perceptrons and of sigmoid neurons, and how the second kind becomes the first.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 1.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.perceptron.neurons import step

__all__ = [
    "perceptron_network",
    "sigmoid_network",
    "scaled",
    "sharpened",
    "bitwise_output",
]

Network = Sequence[tuple[Float[Array, "outputs inputs"], Float[Array, " outputs"]]]  # weights and biases, by layer


def perceptron_network(x: Float[Array, "*batch inputs"], layers: Network) -> Float[Array, "*batch outputs"]:
    """Run layers of perceptrons.

    Args:
        x: (..., inputs), floating point.
        layers: a layer's weights (n, n before) and biases (n,).

    Returns:
        (..., outputs), each 0 or 1.

    Raises:
        ValueError: a layer does not fit the one before.

    Examples:
        >>> xor = [(array([[1.0, 1.0], [-1.0, -1.0]]), array([-0.5, 1.5])), (array([[1.0, 1.0]]), array([-1.5]))]
        >>> perceptron_network(array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), xor).tolist()
        [[0.0], [1.0], [1.0], [0.0]]

    References:
        Nielsen, chapter 1, "Perceptrons", the network of three layers.
    """
    for layer, (w, b) in enumerate(layers):
        x = step(_affine(layer, x, w, b))
    return x


def sigmoid_network(x: Float[Array, "*batch inputs"], layers: Network) -> Float[Array, "*batch outputs"]:
    """Run layers of sigmoid neurons.

    Args:
        x, layers: as in perceptron_network.

    Returns:
        (..., outputs), in (0, 1).

    Raises:
        ValueError: a layer does not fit the one before.

    Examples:
        >>> sigmoid_network(array([2.0, 3.0]), [(array([[3.0, -2.0]]), array([0.0]))]).tolist()
        [0.5]

    References:
        Nielsen, chapter 1, "Sigmoid neurons".
    """
    for layer, (w, b) in enumerate(layers):
        x = jax.nn.sigmoid(_affine(layer, x, w, b))
    return x


def scaled(layers: Network, c: float | Float[Array, ""]) -> Network:
    """Multiply every weight and bias of a network by one number; perceptrons do not notice a positive one.

    Args:
        layers: as in perceptron_network.
        c: the number.

    Returns:
        The layers.

    Examples:
        >>> [(w.tolist(), b.tolist()) for w, b in scaled([(array([[-2.0, -2.0]]), array([3.0]))], 2.0)]
        [([[-4.0, -4.0]], [6.0])]

    References:
        Nielsen, chapter 1, exercise "Sigmoid neurons simulating perceptrons, part I".
    """
    return [(c * w, c * b) for w, b in layers]


def sharpened(
    x: Float[Array, "*batch inputs"], layers: Network, scales: Float[Array, " S"]
) -> Float[Array, "S *batch outputs"]:
    """Run a sigmoid network with its weights and biases scaled up: in the limit it is the perceptron network.

    lim sigma(c z) = 1 if z > 0, 0 if z < 0;  at z = 0 sigma says 1/2 for every c, where a perceptron says 0

    Args:
        x, layers: as in perceptron_network.
        scales: (S,), the numbers c, positive.

    Returns:
        (S, ..., outputs), one run a scale.

    Raises:
        ValueError: a layer does not fit the one before.

    Examples:
        >>> outputs = sharpened(array([[0.5], [0.0], [-0.5]]), [(array([[1.0]]), array([0.0]))], array([1.0, 100.0]))
        >>> [[round(float(output), 2) for output in run[:, 0]] for run in outputs]
        [[0.62, 0.5, 0.38], [1.0, 0.5, 0.0]]

    References:
        Nielsen, chapter 1, exercise "Sigmoid neurons simulating perceptrons, part II".
    """
    return jax.vmap(lambda c: sigmoid_network(x, scaled(layers, c)))(scales)


def bitwise_output(a: Float[Array, "*batch 10"], *, scale: float = 20.0) -> Float[Array, "*batch 4"]:
    """Add the output layer that turns ten outputs, one a digit, into the digit's four bits.

    w_ij = scale if bit i of the digit j is 1, else 0;  b_i = -scale / 2

    The right digit at 0.99 or more and the others at 0.01 or less put z_i at 0.49 scale or above where the bit is 1,
    and at -0.45 scale or below where it is 0: five digits, at most, share a bit.

    Args:
        a: (..., 10), the old outputs, in [0, 1].
        scale: how sharp the new neurons are.

    Returns:
        (..., 4), the lowest bit first, near 0 or 1.

    Raises:
        ValueError: not ten outputs.

    Examples:
        >>> six = array([0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.99, 0.01, 0.01, 0.01])
        >>> [round(bit, 3) for bit in bitwise_output(six).tolist()]
        [0.0, 1.0, 1.0, 0.0]

    References:
        Nielsen, chapter 1, the exercise of "A simple network to classify handwritten digits".
    """
    if a.shape[-1] != 10:
        raise ValueError(f"bitwise_output: got {tuple(a.shape)}, wanted (..., 10); give one output a digit")
    digits, places = jnp.arange(10), jnp.arange(4)
    bits = (digits >> places[:, None]) & 1  # (4, 10)
    w, b = scale * bits.astype(a.dtype), jnp.full(4, -scale / 2, a.dtype)
    return sigmoid_network(a, [(w, b)])


def _affine(layer: int, x: Array, w: Array, b: Array) -> Array:
    if w.ndim != 2 or b.shape != w.shape[:1] or x.shape[-1] != w.shape[1]:
        raise ValueError(
            f"layer {layer}: got weights {tuple(w.shape)} and biases {tuple(b.shape)} for {x.shape[-1]} inputs, "
            f"wanted (n, {x.shape[-1]}) and (n,); transpose the weights?"
        )
    return x @ w.T + b
