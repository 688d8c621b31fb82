"""Normalization by the neighbouring channels."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

__all__ = ["local_response_norm"]


def local_response_norm(
    input: Float[Array, "N C *D"], size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Float[Array, "N C *D"]:
    """x_c / (k + alpha mean x^2)^beta, the mean over size neighbouring channels, zeros beyond the ends counted.

    Args:
        input: x (N, C, ...), floating, of three axes or more.
        size: how many channels, size // 2 of them before c.
        alpha: the factor of the mean.
        beta: the exponent.
        k: added to it.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: for fewer than three axes.

    Examples:
        >>> local_response_norm(array([[[3.0]]]), 1, alpha=1.0, beta=1.0).tolist()
        [[[0.30000001192092896]]]

    References:
        PyTorch, torch.nn.functional.local_response_norm; A. Krizhevsky et al., "ImageNet Classification" (2012), 3.3.
    """
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: input has shape {tuple(input.shape)}, wanted (N, C, L) or more axes")
    window = tuple(size if axis == 1 else 1 for axis in range(input.ndim))
    padding = [(size // 2, (size - 1) // 2) if axis == 1 else (0, 0) for axis in range(input.ndim)]
    zero = np.zeros((), input.dtype)  # known while tracing, so that JAX sees a plain sum, which it can differentiate
    total = jax.lax.reduce_window(jnp.square(input), zero, jax.lax.add, window, (1,) * input.ndim, padding)
    return input / (total / size * alpha + k) ** beta
