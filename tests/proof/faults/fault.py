"""A planted fault: one torch function, its honest port to JAX, and the port with the bug."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """One bug of porting beside the port without it; all three functions are called with the inputs by name.

    Attributes:
        name: The part that is ported, and what is wrong with it.
        seen: Where the bug was seen: a public issue or guide, or a measurement of the two frameworks; "made for this
            table" where it was not.
        torch: The original, a function of tensors.
        honest: Its port, a function of JAX arrays.
        faulty: The port with the bug.
        inputs: Draws the inputs, NumPy arrays by name; what is random in them gives the check its power.
        stage: Stage of the first finding; "update" also says that the outputs are those of optimizer steps.
        verdict: What the fault must be called.
        wrt: Inputs whose gradients are compared too; None for every floating one, () for none.
        dtype: The working dtype beside float64.
    """

    name: str
    seen: str
    inputs: Callable[[np.random.Generator], Inputs]
    torch: Callable[..., Any]
    honest: Callable[..., Any]
    faulty: Callable[..., Any]
    stage: str = "forward"
    verdict: str = "SEMANTIC"
    wrt: tuple[str, ...] | None = None
    dtype: str = "float32"

    @property
    def origin(self) -> str:
        """Where it comes from in one word: "public", "measured" or "made"."""
        if self.seen.startswith("made for this table"):
            return "made"
        return "measured" if "measured" in self.seen else "public"

    def draw(self) -> Inputs:
        """The inputs: the same on every machine, since the seed comes from the name."""
        return self.inputs(np.random.default_rng(zlib.crc32(self.name.encode())))


def normal(**drawn: Any) -> Callable[[np.random.Generator], Inputs]:
    """Inputs by name: standard normal numbers of a shape, or what a function of the generator gives.

    Examples:
        >>> make = normal(x=(2, 3), ids=lambda rng: rng.integers(0, 5, size=4))
        >>> {name: array.shape for name, array in make(np.random.default_rng(0)).items()}
        {'x': (2, 3), 'ids': (4,)}
    """

    def inputs(rng: np.random.Generator) -> Inputs:
        return {name: d(rng) if callable(d) else rng.standard_normal(d) for name, d in drawn.items()}

    return inputs
