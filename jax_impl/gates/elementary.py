"""The gates: each gives its value, and the function that carries a gradient back through it, written by hand.

References:
    CS231n, "Backpropagation, Intuitions" (optimization-2).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

__all__ = [
    "add",
    "multiply",
    "maximum",
    "reciprocal",
    "exponential",
    "sigmoid",
    "shift",
    "scale",
    "matmul",
]

Backward = Callable[[Array], tuple[Array, ...]]
Gate = Callable[..., tuple[Array, Backward]]


def add(x: Float[Array, "*shape"], y: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Backward]:
    """Add: hands the upstream gradient to both inputs unchanged.

    f = x + y,  df/dx = 1,  df/dy = 1

    Args:
        x: any shape, floating point.
        y: the shape of x: gates do not broadcast.

    Returns:
        The value, and its backward: upstream gradient -> (gradient of x, gradient of y).

    Examples:
        >>> value, backward = add(array(-2.0), array(5.0))
        >>> float(value), [float(g) for g in backward(array(-4.0))]
        (3.0, [-4.0, -4.0])

    References:
        CS231n optimization-2, "Patterns in backward flow".
    """
    return x + y, lambda upstream: (upstream, upstream)


def multiply(x: Float[Array, "*shape"], y: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Backward]:
    """Multiply: swaps the inputs and scales them by the upstream gradient.

    f = x y,  df/dx = y,  df/dy = x

    Args:
        x: any shape, floating point.
        y: the shape of x: gates do not broadcast.

    Returns:
        The value, and its backward: upstream gradient -> (gradient of x, gradient of y).

    Examples:
        >>> value, backward = multiply(array(4.0), array(-3.0))
        >>> float(value), [float(g) for g in backward(array(1.0))]
        (-12.0, [-3.0, 4.0])

    References:
        CS231n optimization-2, "Simple expressions, interpreting the gradient".
    """
    return x * y, lambda upstream: (y * upstream, x * upstream)


def maximum(x: Float[Array, "*shape"], y: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Backward]:
    """Take the larger: routes the upstream gradient to the input that won, and at a tie to both, whole.

    f = max(x, y),  df/dx = 1(x >= y),  df/dy = 1(y >= x)

    At a tie the formula says 1 and 1. Autograd, on either framework, says 1/2 and 1/2: a subgradient, where
    1 and 1 is none (moving both inputs by h moves f by h, not by 2h).

    Args:
        x: any shape, floating point.
        y: the shape of x: gates do not broadcast.

    Returns:
        The value, and its backward: upstream gradient -> (gradient of x, gradient of y).

    Examples:
        >>> value, backward = maximum(array(4.0), array(2.0))
        >>> float(value), [float(g) for g in backward(array(1.0))]
        (4.0, [1.0, 0.0])

    References:
        CS231n optimization-2, "Simple expressions, interpreting the gradient".
    """
    return jnp.maximum(x, y), lambda upstream: ((x >= y) * upstream, (y >= x) * upstream)


def reciprocal(x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Backward]:
    """Invert.

    f = 1 / x,  df/dx = -1 / x^2

    Args:
        x: any shape, floating point, not 0.

    Returns:
        The value, and its backward: upstream gradient -> (gradient of x,).

    Examples:
        >>> value, backward = reciprocal(array(2.0))
        >>> float(value), [float(g) for g in backward(array(1.0))]
        (0.5, [-0.25])

    References:
        CS231n optimization-2, "Modularity: Sigmoid example".
    """
    return 1 / x, lambda upstream: (-upstream / x**2,)


def exponential(x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Backward]:
    """Exponentiate: the gate is its own derivative.

    f = e^x,  df/dx = e^x

    Args:
        x: any shape, floating point.

    Returns:
        The value, and its backward: upstream gradient -> (gradient of x,).

    Examples:
        >>> value, backward = exponential(array(-1.0))
        >>> round(float(value), 2), [round(float(g), 2) for g in backward(array(-0.53))]
        (0.37, [-0.19])

    References:
        CS231n optimization-2, "Modularity: Sigmoid example".
    """
    value = jnp.exp(x)
    return value, lambda upstream: (value * upstream,)


def sigmoid(x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Backward]:
    """Squash to (0, 1): four gates in one.

    f = 1 / (1 + e^-x),  df/dx = (1 - f) f

    Args:
        x: any shape, floating point.

    Returns:
        The value, and its backward: upstream gradient -> (gradient of x,).

    Examples:
        >>> value, backward = sigmoid(array(1.0))
        >>> round(float(value), 2), [round(float(g), 2) for g in backward(array(1.0))]
        (0.73, [0.2])

    References:
        CS231n optimization-2, "Modularity: Sigmoid example".
    """
    value = jax.nn.sigmoid(x)
    return value, lambda upstream: ((1 - value) * value * upstream,)


def shift(c: float) -> Gate:
    """Make the gate that adds a constant.

    f = c + x,  df/dx = 1

    Args:
        c: the constant.

    Returns:
        A gate of one input.

    Examples:
        >>> value, backward = shift(1.0)(array(2.0))
        >>> float(value), [float(g) for g in backward(array(-0.5))]
        (3.0, [-0.5])

    References:
        CS231n optimization-2, "Modularity: Sigmoid example".
    """
    return lambda x: (c + x, lambda upstream: (upstream,))


def scale(a: float) -> Gate:
    """Make the gate that multiplies by a constant.

    f = a x,  df/dx = a

    Args:
        a: the constant.

    Returns:
        A gate of one input.

    Examples:
        >>> value, backward = scale(-1.0)(array(2.0))
        >>> float(value), [float(g) for g in backward(array(0.5))]
        (-2.0, [-0.5])

    References:
        CS231n optimization-2, "Modularity: Sigmoid example".
    """
    return lambda x: (a * x, lambda upstream: (a * upstream,))


def matmul(W: Float[Array, "M K"], X: Float[Array, "K N"]) -> tuple[Float[Array, "M N"], Backward]:
    """Multiply matrices: the shapes alone say where the transposes go.

    D = W X,  dW = dD X^T,  dX = W^T dD

    Args:
        W: (M, K), floating point.
        X: (K, N).

    Returns:
        The value (M, N), and its backward: upstream gradient (M, N) -> (gradient of W, gradient of X).

    Raises:
        ValueError: the shapes do not fit.

    Examples:
        >>> value, backward = matmul(array([[1.0, 2.0]]), array([[3.0], [4.0]]))
        >>> value.tolist(), [g.tolist() for g in backward(array([[1.0]]))]
        ([[11.0]], [[[3.0, 4.0]], [[1.0], [2.0]]])

    References:
        CS231n optimization-2, "Gradients for vectorized operations".
    """
    if W.ndim != 2 or X.ndim != 2 or W.shape[1] != X.shape[0]:
        raise ValueError(
            f"matmul: got W {tuple(W.shape)} and X {tuple(X.shape)}, wanted (M, K) and (K, N); transpose one of them?"
        )
    return W @ X, lambda upstream: (upstream @ X.T, W.T @ upstream)
