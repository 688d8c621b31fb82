"""The record of one run of a torch model: products, convolutions, scales and shifts of weights, in order."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.convert.affine import Affine


@dataclass(frozen=True)
class Product:
    """inputs @ weights: rows of numbers times weights.

    Attributes:
        path: The module that asked for it.
        inputs: (n, i).
        ids: (i, o), which weight stands where.
    """

    path: str
    inputs: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True)
class Convolution:
    """A convolution, written as one without transposition.

    Attributes:
        path: The module that asked for it.
        inputs: (N, C, *space).
        ids: (O, C / groups, *kernel).
        outputs: (N, O, *space), without bias.
        groups: How many.
    """

    path: str
    inputs: np.ndarray
    ids: np.ndarray
    outputs: np.ndarray
    groups: int


@dataclass(frozen=True)
class Scaling:
    """Weights times numbers plus numbers.

    Attributes:
        path: The module that asked for it.
        value: The array.
    """

    path: str
    value: Affine


@dataclass
class Record:
    """One run of a torch model.

    Attributes:
        products, convolutions, scalings: What it did, each with its place in the order of execution.
        outputs: Its outputs.
    """

    products: list[tuple[int, Product]] = field(default_factory=list)
    convolutions: list[tuple[int, Convolution]] = field(default_factory=list)
    scalings: list[tuple[int, Scaling]] = field(default_factory=list)
    outputs: Any = None
    count: int = 0

    def add(self, event: Product | Convolution | Scaling) -> None:
        table: Any = {Product: self.products, Convolution: self.convolutions, Scaling: self.scalings}[type(event)]
        table.append((self.count, event))
        self.count += 1
