"""One honest pair: a function written in both frameworks as its users write it, and inputs from 1 to 1e6 elements."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Inputs = dict[str, Any]

SIZES = (1, 100, 10_000, 1_000_000)
DTYPES = ("float64", "float32", "bfloat16")


@dataclass(frozen=True)
class Honest:
    """Two implementations that are both right.

    Attributes:
        name: What the tests call it.
        torch, jax: Functions of the inputs by name, in the idiom of each framework.
        inputs: inputs(rng, size): NumPy arrays with about that many elements.
        wrt: Inputs to differentiate; None for every floating one, () for none.
        without: Why there is no run at a size or a dtype.
        scaled: How the inputs stay below the size where work grows faster than they do.
        conventions: Where both sides take valid subgradients that differ, and why.
    """

    name: str
    torch: Callable[..., Any]
    jax: Callable[..., Any]
    inputs: Callable[[np.random.Generator, int], Inputs]
    wrt: tuple[str, ...] | None = None
    without: Mapping[int | str, str] = field(default_factory=dict)
    scaled: str = ""
    conventions: Mapping[str, str] = field(default_factory=dict)


def capped(entries: tuple[Honest, ...], reason: str, *, whole: tuple[str, ...] = ()) -> tuple[Honest, ...]:
    """The same entries with at most 1e5 elements, but for those named: the whole grid must end within minutes."""

    def cap(entry: Honest) -> Honest:
        if entry.name in whole:
            return entry
        return replace(entry, inputs=lambda rng, size: entry.inputs(rng, min(size, ENOUGH)), scaled=reason)

    return tuple(map(cap, entries))


def rows(size: int) -> tuple[int, int]:
    """Shape of a few long rows: (1, 1), (4, 25), (10, 1,000), (10, 100,000)."""
    count = 1 if size == 1 else 4 if size <= 100 else 10
    return count, size // count


def side_length(size: int, power: int = 2, most: int = 1000) -> int:
    """Edge of a square or cube with about `size` elements, and no longer than `most`."""
    return max(1, min(most, round(size ** (1 / power))))


def vector(rng: np.random.Generator, size: int) -> Inputs:
    """Standard normal numbers."""
    return {"x": rng.normal(size=size)}


def two_vectors(rng: np.random.Generator, size: int) -> Inputs:
    """Two of them."""
    return {"x": rng.normal(size=size), "y": rng.normal(size=size)}


def matrix(rng: np.random.Generator, size: int) -> Inputs:
    """A few long rows of standard normal numbers."""
    return {"x": rng.normal(size=rows(size))}


def two_matrices(rng: np.random.Generator, size: int) -> Inputs:
    """Two of them."""
    return {"x": rng.normal(size=rows(size)), "y": rng.normal(size=rows(size))}


def between(low: float, high: float) -> Callable[[np.random.Generator, int], Inputs]:
    """Numbers spread evenly over an interval."""
    return lambda rng, size: {"x": rng.uniform(low, high, size=size)}


def two_between(low: float, high: float) -> Callable[[np.random.Generator, int], Inputs]:
    """Two vectors of them."""
    return lambda rng, size: {"x": rng.uniform(low, high, size=size), "y": rng.uniform(low, high, size=size)}


ENOUGH = 100_000
INDEPENDENT = (
    "1e5 elements at most: each errs by itself, so that five seeds at three dtypes are 1.5e6 draws of one distribution "
    "and the few roundings of each bound its tail; 1e6 of all would take the whole grid an hour more"
)
SHORT = "1e5 elements at most: its sums are short, or as long as those of an entry that has 1e6"
ONE_VALUE = "one element has no spread: the result is 0 / 0 or an exact 0 beside the rounding of a square"
NO_BFLOAT16 = "neither framework has a bfloat16 kernel on the CPU"
