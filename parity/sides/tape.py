"""The draws of one run in their order, and the numbers from the host that each is given."""

import random
import sys
from dataclasses import dataclass, field

import numpy as np

from parity.numerics import float_format, round_to

INITIALISERS = ("torch/nn/init.py", "jax/_src/nn/initializers.py")
"""What these draw is left as it is and not counted: parameters that matter to a check are inputs of it."""

LIBRARIES = ("torch", "jax", "flax", "optax", "parity.sides", "contextlib", "functools")


class Unreplayable(TypeError):
    """A draw that cannot be replayed; the message says which, and the way out."""


@dataclass(frozen=True)
class Draw:
    """One draw of random numbers.

    Attributes:
        kind: "bernoulli", "uniform", "normal", "exponential", "integers", "permutation" or "categorical".
        shape: Of the numbers.
        parameters: The probability of a Bernoulli draw, the two ends of an integer one; none where they are traced.
        where: File and line of the code that drew, "" where it is not known.
    """

    kind: str
    shape: tuple[int, ...]
    parameters: tuple[float, ...] = ()
    where: str = field(default="", compare=False)

    def __str__(self) -> str:
        given = f"({', '.join(f'{p:g}' for p in self.parameters)})" if self.parameters else ""
        return f"{self.kind}{given} of shape {self.shape}" + (f" at {self.where}" if self.where else "")


class Tape:
    """The draws of one run in order, and the numbers that each is given.

    Args:
        seed: With the number of a draw it decides its numbers.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.draws: list[Draw] = []

    def bernoulli(self, shape: tuple[int, ...], probability: float) -> np.ndarray:
        """Booleans, each true with this probability."""
        return self._uniform(self._next("bernoulli", shape, probability), shape) < probability

    def thresholds(self, shape: tuple[int, ...]) -> np.ndarray:
        """A Bernoulli draw whose probabilities the host does not know: true where these lie below the probability."""
        return self._uniform(self._next("bernoulli", shape), shape)

    def uniform(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Numbers above 0 and below 1, as the dtype has them, float64."""
        numbers = self._uniform(self._next("uniform", shape), shape)
        return np.minimum(round_to(numbers, dtype), 1.0 - float_format(dtype).unit_roundoff)

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal numbers, float64 with values of float32: every precision gets the same ones."""
        return round_to(self._next("normal", shape).standard_normal(shape), "float32")

    def exponential(self, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers of mean one; -log of them is a Gumbel draw."""
        return round_to(-np.log(self._uniform(self._next("exponential", shape), shape)), "float32")

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
        """Integers from low to high - 1."""
        return self._next("integers", shape, low, high).integers(low, high, size=shape)

    def permutation(self, length: int) -> np.ndarray:
        """The numbers below the length in random order."""
        return self._next("permutation", (length,)).permutation(length)

    def categorical(self, shape: tuple[int, ...]) -> np.ndarray:
        """Gumbel numbers: added to the logarithms of the weights, the largest sum is the class that is drawn."""
        return -np.log(-np.log(self._uniform(self._next("categorical", shape), shape)))

    def restart(self) -> None:
        """Begin again, where the function is evaluated anew within one run; NumPy's and Python's own draws too."""
        self.draws.clear()
        np.random.seed(self.seed % 2**32)  # noqa: NPY002 - users shuffle with it
        random.seed(self.seed)

    def _next(self, kind: str, shape: tuple[int, ...], *parameters: float) -> np.random.Generator:
        known = tuple(float(p) for p in parameters)
        self.draws.append(Draw(kind, tuple(int(n) for n in shape), known, caller()))
        return np.random.default_rng((self.seed, len(self.draws)))

    @staticmethod
    def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        # The middles of 2^23 equal parts: exact in float32, and never 0 or 1, whose logarithms are no numbers.
        return (rng.integers(0, 2**23, size=shape) + 0.5) * 2.0**-23


def caller() -> str:
    """File and line of the innermost code that is no library's: who draws."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not any(name == library or name.startswith(f"{library}.") for library in LIBRARIES):
            return f"{frame.f_code.co_filename.replace(chr(92), '/').rpartition('/')[2]}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def drawn_within(*files: str) -> bool:
    """Whether one of these files is at work on the stack.

    Args:
        *files: Ends or parts of paths, with forward slashes.
    """
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename.replace(chr(92), "/")
        if any(part in path for part in files):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
