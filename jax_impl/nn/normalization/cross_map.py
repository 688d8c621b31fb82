"""Torch's older normalization over neighbouring channels, with the two faults that it has there.

References:
    PyTorch, torch.nn.modules._functions.CrossMapLRN2d.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from jax_impl.nn.module import Module

__all__ = ["CrossMapLRN2d"]


class CrossMapLRN2d(Module):
    """x_c / (k + alpha / size sum x^2)^beta, the sum over neighbouring channels, as torch's own computes it.

    For an odd size it is LocalResponseNorm but for two faults of torch's, which are kept, so that a model that was
    trained with it is the same model here: the first channel's square stays in the sum of every later channel, since
    the running sum never drops it; and the gradient is not this function's, but reads windows that stand one channel
    too early, and knows nothing of the first channel's stay. In forward mode the derivative is that gradient's
    transpose. A new model takes LocalResponseNorm.

    Args:
        size: the width of the window, (size - 1) // 2 channels on each side; torch has no gradient for a size of 1.
        alpha: the factor of the sum, which is divided by size.
        beta: the exponent.
        k: added to the sum.

    Raises:
        ValueError: where the input has not four axes.
        RuntimeError: for the gradient where size is below 2.

    Examples:
        >>> CrossMapLRN2d(1, alpha=1.0, beta=1.0)(array([[[[1.0]], [[2.0]], [[3.0]]]])).reshape(3).tolist()
        [0.5, 0.3333333432674408, 0.27272728085517883]

    References:
        PyTorch, torch.nn.CrossMapLRN2d; A. Krizhevsky et al., "ImageNet Classification" (2012), 3.3.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def __call__(self, input: Float[Array, "N C H W"]) -> Float[Array, "N C H W"]:
        """Shaped as input."""
        if input.ndim != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.ndim}D instead.")
        return _normalized(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _scale(x: Array, size: int, alpha: float, k: float) -> Array:
    squares, reach = jnp.square(x), (size + 1) // 2
    total = _neighbours(squares, reach - 1, reach - 1)
    # the first channel is out of the window from channel `reach` on, and still in torch's sum
    late = (jnp.arange(x.shape[1]) >= reach).reshape(-1, 1, 1)
    return (total + jnp.where(late, squares[:, :1], 0)) * (alpha / size) + k


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3, 4))
def _normalized(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    return x * _scale(x, size, alpha, k) ** -beta


@_normalized.defjvp
def _slope(
    size: int, alpha: float, beta: float, k: float, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    # torch's backward: g_c / scale_c^beta - 2 alpha beta / size x_c sum of g y / scale from channel c - ahead on,
    # size channels together; here is its transpose, which JAX transposes back
    if size < 2:
        raise RuntimeError(f"CrossMapLRN2d: size is {size}, and torch has no gradient for it; wanted 2 or more")
    (x,), (t,) = primals, tangents
    scale, ahead = _scale(x, size, alpha, k), size - size // 2
    power = scale**-beta
    y = x * power
    return y, t * power - 2 * alpha * beta / size * (y / scale) * _neighbours(x * t, size - 1 - ahead, ahead)


def _neighbours(x: Array, before: int, after: int) -> Array:
    """The sum over so many channels before each, itself, and so many after."""
    zero = np.zeros((), x.dtype)  # known while tracing, so that JAX sees a plain sum, which it can differentiate
    window = (1, before + 1 + after, 1, 1)
    return lax.reduce_window(x, zero, lax.add, window, (1, 1, 1, 1), [(0, 0), (before, after), (0, 0), (0, 0)])
