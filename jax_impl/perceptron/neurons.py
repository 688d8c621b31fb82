"""Single neurons: perceptrons that decide, NAND gates of them that add, and the sigmoid neuron.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

__all__ = [
    "weighted_input",
    "step",
    "perceptron",
    "decide",
    "nand",
    "Sum",
    "half_adder",
    "sigmoid_neuron",
    "OutputChange",
    "output_change",
]


def weighted_input(
    x: Float[Array, "*batch inputs"], w: Float[Array, " inputs"], b: float | Float[Array, ""]
) -> Float[Array, "*batch"]:
    """Weigh the evidence: what a neuron of either kind then turns into its output.

    z = w . x + b

    Args:
        x: (..., inputs), floating point.
        w: (inputs,).
        b: the bias.

    Returns:
        (...).

    Raises:
        ValueError: x and w have another number of inputs.

    Examples:
        >>> [float(weighted_input(array([bit, bit]), array([-2.0, -2.0]), 3.0)) for bit in (0.0, 1.0)]
        [3.0, -1.0]

    References:
        Nielsen, chapter 1, eq. 2.
    """
    if w.ndim != 1 or x.shape[-1:] != w.shape:
        raise ValueError(
            f"weighted_input: got x {tuple(x.shape)} and w {tuple(w.shape)}, wanted (..., inputs) and (inputs,); "
            "give one weight an input"
        )
    return x @ w + b


def step(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Turn a weighted input into a perceptron's output; at exactly 0 the answer is 0.

    1 if z > 0, else 0

    Args:
        z: any shape, floating point.

    Returns:
        The shape of z, 0 or 1 in its dtype.

    Examples:
        >>> step(array([3.0, 0.0, -1.0])).tolist()
        [1.0, 0.0, 0.0]

    References:
        Nielsen, chapter 1, eq. 2.
    """
    return (z > 0).astype(z.dtype)


def perceptron(
    x: Float[Array, "*batch inputs"], w: Float[Array, " inputs"], b: float | Float[Array, ""]
) -> Float[Array, "*batch"]:
    """Decide by weighing the evidence.

    output = 1 if w . x + b > 0, else 0

    Args:
        x, w, b: as in weighted_input.

    Returns:
        (...), 0 or 1 in the dtype of x.

    Examples:
        >>> perceptron(array([[1.0, 1.0], [2.0, 1.0]]), array([1.0, 1.0]), -2.0).tolist()
        [0.0, 1.0]

    References:
        Nielsen, chapter 1, eq. 2.
    """
    return step(weighted_input(x, w, b))


def decide(x: Float[Array, "*batch inputs"], w: Float[Array, " inputs"], *, threshold: float) -> Float[Array, "*batch"]:
    """Decide against a threshold, which is the bias with its sign turned: b = -threshold.

    output = 1 if sum_j w_j x_j > threshold, else 0

    Args:
        x, w: as in weighted_input.
        threshold: what the evidence must exceed.

    Returns:
        (...), 0 or 1 in the dtype of x.

    Examples:
        The cheese festival: good weather weighs 6, company and a near station 2 each.

        >>> company_and_station = array([0.0, 1.0, 1.0])
        >>> [float(decide(company_and_station, array([6.0, 2.0, 2.0]), threshold=t)) for t in (5, 3)]
        [0.0, 1.0]

    References:
        Nielsen, chapter 1, eq. 1.
    """
    return perceptron(x, w, -threshold)


def nand(x: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
    """Compute NAND with one perceptron of weights -2, -2 and bias 3.

    Args:
        x: (..., 2), each 0 or 1, floating point.

    Returns:
        (...), 0 where both are 1, else 1.

    Examples:
        >>> nand(array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
        [1.0, 1.0, 1.0, 0.0]

    References:
        Nielsen, chapter 1, "Perceptrons".
    """
    return perceptron(x, jnp.array([-2.0, -2.0], x.dtype), 3.0)


class Sum(NamedTuple):
    """The sum of two bits: its low bit x1 xor x2, and the carry x1 and x2.

    Examples:
        >>> Sum(*half_adder(array([1.0, 1.0]))).carry.tolist()
        1.0
    """

    bit: Float[Array, "*batch"]
    carry: Float[Array, "*batch"]


def half_adder(x: Float[Array, "*batch 2"], *, merged: bool = False) -> Sum:
    """Add two bits with a network of NAND perceptrons.

    Args:
        x: (..., 2), each 0 or 1, floating point.
        merged: draw the last gate, which reads one output twice, with one weight of -4 in place of two of -2.

    Returns:
        The low bit and the carry, each (...).

    Examples:
        >>> result = half_adder(array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
        >>> result.bit.tolist(), result.carry.tolist()
        ([0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0])

    References:
        Nielsen, chapter 1, the adder's two figures under "Perceptrons".
    """
    x1, x2 = x[..., 0], x[..., 1]
    both = nand(x)
    bit = nand(jnp.stack([nand(jnp.stack([x1, both], axis=-1)), nand(jnp.stack([x2, both], axis=-1))], axis=-1))
    if merged:
        return Sum(bit, perceptron(both[..., None], jnp.array([-4.0], x.dtype), 3.0))
    return Sum(bit, nand(jnp.stack([both, both], axis=-1)))


def sigmoid_neuron(
    x: Float[Array, "*batch inputs"], w: Float[Array, " inputs"], b: float | Float[Array, ""]
) -> Float[Array, "*batch"]:
    """Answer anything between 0 and 1, changing little when weights and bias change little.

    output = sigma(z) = 1 / (1 + e^-z),  z = w . x + b

    Args:
        x, w, b: as in weighted_input.

    Returns:
        (...), in (0, 1).

    Examples:
        >>> sigmoid_neuron(array([[1.0, 1.0], [3.0, 1.0]]), array([1.0, 1.0]), -2.0).tolist()[0]
        0.5

    References:
        Nielsen, chapter 1, eq. 3-4.
    """
    return jax.nn.sigmoid(weighted_input(x, w, b))


class OutputChange(NamedTuple):
    """The change in a neuron's output: as its derivatives predict, and as it is.

    Examples:
        >>> float(OutputChange(predicted=array(0.25), actual=array(0.5)).actual)
        0.5
    """

    predicted: Float[Array, ""]
    actual: Float[Array, ""]


def output_change(
    x: Float[Array, " inputs"],
    w: Float[Array, " inputs"],
    b: Float[Array, ""],
    *,
    dw: Float[Array, " inputs"],
    db: Float[Array, ""],
) -> OutputChange:
    """Change a sigmoid neuron's weights and bias a little, and predict its output's change linearly.

    doutput ~ sum_j doutput/dw_j dw_j + doutput/db db

    Args:
        x: (inputs,), floating point.
        w: (inputs,).
        b: the bias.
        dw: (inputs,), the change in the weights.
        db: the change in the bias.

    Returns:
        The two changes; they part by about the square of the change.

    Examples:
        >>> change = output_change(array([1.0]), array([0.0]), array(0.0), dw=array([0.5]), db=array(-0.25))
        >>> float(change.predicted), round(float(change.actual), 4)
        (0.0625, 0.0622)

    References:
        Nielsen, chapter 1, eq. 5.
    """
    by_w, by_b = jax.grad(sigmoid_neuron, argnums=(1, 2))(x, w, b)
    return OutputChange(by_w @ dw + by_b * db, sigmoid_neuron(x, w + dw, b + db) - sigmoid_neuron(x, w, b))
