"""Arguments that are refused, with the exception that torch raises: axes, shapes that do not broadcast, indices."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

__all__ = ["axis_of", "broadcast", "check_indices"]


def axis_of(name: str, input: Float[Array, "..."], dim: int) -> int:
    """The axis that dim means, counted from the front.

    Args:
        name: who asks, for the message.
        input: any array; a scalar counts as having one axis, as torch sees it.
        dim: the axis, from the end where negative.

    Returns:
        The axis, at least 0.

    Raises:
        IndexError: where there is no such axis.

    Examples:
        >>> axis_of("softmax", array([[0.0]]), -1)
        1
    """
    axes = max(1, input.ndim)
    if not -axes <= dim < axes:
        raise IndexError(f"{name}: dim is {dim} for input {tuple(input.shape)}, wanted {-axes} to {axes - 1}")
    return dim % axes


def broadcast(name: str, **arrays: Array) -> list[Array]:
    """Arrays in one shape, with a warning where they had two: a loss of broadcast arrays is rarely meant.

    Args:
        name: who asks, for the messages.
        **arrays: by name.

    Returns:
        The arrays, in the order given.

    Raises:
        RuntimeError: where the shapes do not fit.

    Examples:
        >>> [tuple(a.shape) for a in broadcast("l1_loss", input=array([1.0]), target=array([2.0]))]
        [(1,), (1,)]
    """
    shapes = {key: tuple(array.shape) for key, array in arrays.items()}
    if len(set(shapes.values())) == 1:
        return list(arrays.values())
    said = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
    try:
        wide = jnp.broadcast_shapes(*shapes.values())
    except ValueError:
        raise RuntimeError(f"{name}: {said}, wanted one shape") from None
    warnings.warn(f"{name}: {said} are broadcast to {wide}; if that is not meant, reshape one of them", stacklevel=3)
    return [jnp.broadcast_to(array, wide) for array in arrays.values()]


def check_indices(name: str, indices: Int[Array, "*S"], size: int, *, ignored: int | None = None) -> None:
    """Refuse what is no integer, and an index outside [0, size).

    Args:
        name: who asks, for the message.
        indices: any shape, integer.
        size: how many things the indices choose from.
        ignored: an index that is allowed wherever it lies.

    Raises:
        RuntimeError: for another dtype.
        IndexError: for an index outside.

    Examples:
        >>> check_indices("embedding", array([0, 3]), 3)
        Traceback (most recent call last):
        IndexError: embedding: an index is 3, wanted 0 to 2
    """
    # differs: torch looks at every index; JAX knows none while it traces, and lets a wrong one choose NaN then
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise RuntimeError(f"{name}: indices are {indices.dtype}, wanted integers")
    if isinstance(indices, jax.core.Tracer):
        return
    known = np.asarray(indices)  # by NumPy: inside of a jit what JAX computes of it would be traced
    outside = (known < 0) | (known >= size)
    if ignored is not None:
        outside &= known != ignored
    if outside.any():
        raise IndexError(f"{name}: an index is {int(known[outside][0])}, wanted 0 to {size - 1}")
