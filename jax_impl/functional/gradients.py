"""Values with another gradient than their own: what torch makes by writing where no gradient is recorded."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

__all__ = ["straight_through", "scaled_gradient"]


def straight_through(value: Float[Array, "*S"], x: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """One array's value, whose gradient goes to another as if that had come out.

    Args:
        value: what comes out, exactly.
        x: what the gradient goes to; finite.

    Returns:
        value.

    Examples:
        >>> straight_through(array([2.0]), array([1.0])).tolist()
        [2.0]

    References:
        Y. Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons" (2013).
    """
    return jax.lax.stop_gradient(value) + (x - jax.lax.stop_gradient(x))


@jax.custom_jvp
def scaled_gradient(x: Float[Array, "*S"], factor: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """x, whose gradient is multiplied by a factor.

    Args:
        x: what comes out.
        factor: broadcast to x; 0 lets nothing through, NaN and infinities included.

    Returns:
        x.

    Examples:
        >>> scaled_gradient(array([2.0]), array([0.5])).tolist()
        [2.0]
    """
    return x


@scaled_gradient.defjvp
def _scaled_gradient_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x, factor), (dx, _) = primals, tangents
    return x, jnp.where(factor == 0, 0, dx * factor)
