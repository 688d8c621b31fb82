"""Layers that join several axes into one, and split one into several."""

import math
from collections.abc import Sequence
from typing import Any

from jax import Array

from jax_impl.nn.module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Joins the axes from start_dim to end_dim, both included, into one.

    Args:
        start_dim: the first axis.
        end_dim: the last axis.

    Examples:
        >>> tuple(Flatten()(array([[[1.0], [2.0]]])).shape)
        (1, 2)

    References:
        PyTorch, torch.nn.Flatten.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def __call__(self, input: Array) -> Array:
        """The input with those axes as one.

        Raises:
            IndexError: where the input has no such axis.
            RuntimeError: where start_dim comes after end_dim.
        """
        axes = max(input.ndim, 1)  # a number counts as one axis
        start, end = (_axis("Flatten", dim, axes) for dim in (self.start_dim, self.end_dim))
        if start > end:
            raise RuntimeError(f"Flatten: start_dim {self.start_dim} comes after end_dim {self.end_dim}")
        shape = input.shape if input.ndim else (1,)
        return input.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])

    def extra_repr(self) -> str:
        """The arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits one axis into several.

    Args:
        dim: the axis.
        unflattened_size: the lengths of those in its place, one of which may be -1.

    Raises:
        TypeError: where the lengths are no sequence of whole numbers.

    Examples:
        >>> Unflatten(1, (2, 1))(array([[1.0, 2.0]])).tolist()
        [[[1.0], [2.0]]]

    References:
        PyTorch, torch.nn.Unflatten.
    """

    def __init__(self, dim: int, unflattened_size: Sequence[Any]) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise TypeError(f"Unflatten: dim is {dim!r}, wanted a whole number: JAX has no names of axes")
        if not isinstance(unflattened_size, (tuple, list)) or not all(isinstance(s, int) for s in unflattened_size):
            raise TypeError(f"Unflatten: unflattened_size is {unflattened_size!r}, wanted a tuple of whole numbers")
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def __call__(self, input: Array) -> Array:
        """The input with that axis as several.

        Raises:
            IndexError: where the input has no such axis.
            RuntimeError: where the lengths do not multiply to that of the axis.
        """
        axis = _axis("Unflatten", self.dim, input.ndim)
        sizes, length = self.unflattened_size, input.shape[axis]
        known = math.prod(size for size in sizes if size != -1)
        if sizes.count(-1) > 1 or (known != length if -1 not in sizes else known == 0 or length % known):
            raise RuntimeError(f"Unflatten: {sizes} does not multiply to {length}, the length of axis {self.dim}")
        return input.reshape(*input.shape[:axis], *sizes, *input.shape[axis + 1 :])

    def extra_repr(self) -> str:
        """The arguments."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _axis(what: str, dim: int, axes: int) -> int:
    if not -axes <= dim < axes:
        raise IndexError(f"{what}: there is no axis {dim}, wanted {-axes} to {axes - 1}")
    return dim % axes
