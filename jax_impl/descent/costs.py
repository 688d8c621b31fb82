"""Costs of a point v: the book's two surfaces, their gradients, and how a move changes them.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 1, "Learning with gradient descent".
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

__all__ = [
    "valley",
    "false_minima",
    "surface",
    "value_and_gradient",
    "predicted_change",
    "actual_change",
]

Cost = Callable[[Float[Array, "*batch n"]], Float[Array, "*batch"]]


def valley(v: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
    """The bowl that a ball rolls down.

    C = v1^2 + v2^2, drawn on [-1, 1]

    Args:
        v: (..., 2), floating point.

    Returns:
        (...).

    Examples:
        >>> float(valley(array([3.0, 4.0])))
        25.0

    References:
        Nielsen, chapter 1, the figure under "Learning with gradient descent" (fig/valley.py).
    """
    return jnp.sum(v**2, axis=-1)


def false_minima(v: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
    """A surface with many minima, not all as deep.

    C = sin(v1) sin(v2) + 0.2 v1, drawn on [-5, 5]

    Args:
        v: (..., 2), floating point, radians.

    Returns:
        (...).

    Examples:
        >>> float(false_minima(array([0.0, 5.0])))
        0.0

    References:
        Nielsen, chapter 1, fig/false_minima.py.
    """
    return jnp.sin(v[..., 0]) * jnp.sin(v[..., 1]) + 0.2 * v[..., 0]


def surface(cost: Cost, v1: Float[Array, " A"], v2: Float[Array, " B"]) -> Float[Array, "A B"]:
    """Evaluate a cost of two variables over a grid, to draw it.

    Args:
        cost: C(v).
        v1: (A,), the grid's first coordinate, floating point.
        v2: (B,), its second.

    Returns:
        (A, B), at [i, j] the cost of (v1_i, v2_j).

    Examples:
        >>> surface(valley, array([-1.0, 0.0]), array([0.0, 1.0, 2.0])).tolist()
        [[1.0, 2.0, 5.0], [0.0, 1.0, 4.0]]

    References:
        Nielsen, chapter 1, fig/valley.py and fig/false_minima.py.
    """
    return cost(jnp.stack(jnp.meshgrid(v1, v2, indexing="ij"), axis=-1))


def value_and_gradient(
    cost: Cost, v: Float[Array, "*batch n"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch n"]]:
    """Evaluate and differentiate a cost at one point, or at each of several.

    grad C = (dC/dv1, ..., dC/dvn)

    Args:
        cost: C(v).
        v: (..., n), floating point.

    Returns:
        The costs (...) and their gradients (..., n).

    Raises:
        ValueError: the cost does not give one number for each point.

    Examples:
        >>> value, slope = value_and_gradient(valley, array([3.0, -4.0]))
        >>> float(value), slope.tolist()
        (25.0, [6.0, -8.0])

    References:
        Nielsen, chapter 1, eq. 8.
    """

    def total(v: Float[Array, "*batch n"]) -> tuple[Float[Array, ""], Float[Array, "*batch"]]:
        values = cost(v)
        if values.shape != v.shape[:-1]:
            raise ValueError(
                f"cost: got {tuple(values.shape)} for points {tuple(v.shape)}, wanted {tuple(v.shape[:-1])}, "
                "one number a point; reduce over the last axis alone"
            )
        return jnp.sum(values), values  # a point's cost depends on that point alone, so the sum keeps them apart

    (_, values), slope = jax.value_and_grad(total, has_aux=True)(v)
    return values, slope


def predicted_change(cost: Cost, v: Float[Array, "*batch n"], dv: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    """Predict how a small move changes the cost.

    dC ~ grad C . dv

    Args:
        cost, v: as in value_and_gradient.
        dv: (..., n), the move.

    Returns:
        (...).

    Examples:
        >>> float(predicted_change(valley, array([3.0, -4.0]), array([0.5, 0.0])))
        3.0

    References:
        Nielsen, chapter 1, eq. 7 and 9.
    """
    return jnp.sum(value_and_gradient(cost, v)[1] * dv, axis=-1)


def actual_change(cost: Cost, v: Float[Array, "*batch n"], dv: Float[Array, "*batch n"]) -> Float[Array, "*batch"]:
    """Measure how a move changes the cost; `predicted_change` is right up to the square of the move.

    dC = C(v + dv) - C(v)

    Args:
        cost, v: as in value_and_gradient.
        dv: (..., n), the move.

    Returns:
        (...).

    Examples:
        >>> float(actual_change(valley, array([3.0, -4.0]), array([0.5, 0.0])))
        3.25

    References:
        Nielsen, chapter 1, eq. 7.
    """
    return cost(v + dv) - cost(v)
