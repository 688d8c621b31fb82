"""How an activation of one side lies in the other's: NCHW against NHWC, heads split or joined, time first or batch."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

ALL_ORDERS = 4
"""Axes up to which every order is tried; beyond it the channel axis alone moves, and the first two change places."""


REPRODUCED = 2.0**-20
"""Part of the array's size within which an arrangement reproduces it: float32's rounding in a run of float64."""


@dataclass(frozen=True)
class Arrangement:
    """Torch's array with its axes in another order, and some of them split or joined.

    Attributes:
        order: Torch's axes in JAX's order.
        shape: JAX's shape.

    Examples:
        >>> Arrangement((0, 2, 3, 1), (1, 4, 5, 3)).to_jax(np.zeros((1, 3, 4, 5))).shape
        (1, 4, 5, 3)
    """

    order: tuple[int, ...]
    shape: tuple[int, ...]

    def to_jax(self, array: Any) -> Any:
        """Torch's array as JAX has it; of any framework."""
        moved = array.permute(self.order) if hasattr(array, "permute") else array.transpose(self.order)
        return moved.reshape(self.shape)

    def to_torch(self, array: Any, shape: tuple[int, ...]) -> Any:
        """JAX's array as torch has it, of torch's shape."""
        back = tuple(int(i) for i in np.argsort(self.order))
        return array.reshape(tuple(shape[i] for i in self.order)).transpose(back)

    def __str__(self) -> str:
        return f"axes {self.order} as {self.shape}"


def arrangements(torch: tuple[int, ...], jax: tuple[int, ...]) -> Iterator[Arrangement]:
    """Every arrangement that turns one shape into the other, the plain one first.

    Examples:
        >>> [a.order for a in arrangements((2, 3, 4, 4), (2, 4, 4, 3))]
        [(0, 2, 3, 1), (0, 3, 2, 1)]
        >>> [a.order for a in arrangements((5, 6), (5, 2, 3))]
        [(0, 1)]
    """
    if math.prod(torch) != math.prod(jax):
        return
    for order in _orders(len(torch)):
        shape = tuple(torch[i] for i in order)
        if shape == jax or (len(shape) != len(jax) and _nested(shape, jax)):
            yield Arrangement(order, jax)


def closest(
    torch: np.ndarray, jax: np.ndarray, expected: tuple[int, ...] | None = None
) -> tuple[Arrangement | None, float]:
    """The arrangement under which torch's array comes nearest to JAX's.

    Args:
        torch, jax: Arrays of the same activation.
        expected: The order of axes that its neighbours have. It holds unless another one reproduces the array: where a
            fault keeps every one from that, the nearest is chance.

    Returns:
        (arrangement, root mean square distance); (None, inf) where the shapes allow none. Of equal ones the first.
    """
    best, least = None, math.inf
    size = float(np.sqrt(np.mean(np.square(np.nan_to_num(np.asarray(jax, np.float64)))))) if jax.size else 0.0
    usual = None
    for candidate in arrangements(torch.shape, jax.shape):
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.asarray(candidate.to_jax(torch), np.float64) - np.asarray(jax, np.float64)
            distance = float(np.sqrt(np.mean(np.square(np.nan_to_num(gap))))) if gap.size else 0.0
        if candidate.order == expected:
            usual = candidate, distance
        if best is None or distance < least:
            best, least = candidate, distance
        if least == 0.0:
            break
    return usual if usual is not None and least > REPRODUCED * size else (best, least)


def _orders(axes: int) -> Iterator[tuple[int, ...]]:
    if axes <= ALL_ORDERS:
        plain = tuple(range(axes))
        last = (0, *range(2, axes), 1) if axes > 2 else plain
        yield from dict.fromkeys([plain, last, *itertools.permutations(plain)])
        return
    yield from dict.fromkeys(
        [tuple(range(axes)), (0, *range(2, axes), 1), (0, axes - 1, *range(1, axes - 1)), (1, 0, *range(2, axes))]
    )


def _nested(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether one shape comes from the other by joining neighbouring axes."""
    fine, coarse = (one, other) if len(one) > len(other) else (other, one)
    ends = set(itertools.accumulate(fine, lambda a, b: a * b))
    return all(end in ends for end in itertools.accumulate(coarse, lambda a, b: a * b))
