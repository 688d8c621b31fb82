"""A Case: which two things are compared, on which inputs, and which stages of the work they show."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """Numbers that a source prints for an output.

    Attributes:
        output: Path of the output, such as "losses".
        values: What the page prints, in order.
        decimals: Places after the point that it prints; 0 for counts.
        source: Page, section or equation.
        at: Which elements of the output these are.
        labels: A name for each, where the position says too little.

    Examples:
        >>> printed = Published("losses", (1.1, 0.79), decimals=2, source="CS231n, case study", at=(0, 1000))
        >>> dict(zip(printed.at, printed.values))
        {0: 1.1, 1000: 0.79}
    """

    output: str
    values: tuple[float, ...]
    decimals: int
    source: str
    at: slice | tuple[int, ...] | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One comparison of a built-in pair.

    The names and arguments of a pair are the same on both sides, so a case is written once: `call` gets the module of
    one side and the inputs as that side's arrays.

    Attributes:
        name: "concept.case"; the concept is the module of the pair.
        inputs: Makes the inputs from a seeded NumPy generator: a dict of nests of arrays (floats float64) and plain
            values.
        call: call(module, **inputs); where not given, the public function of the case's name.
        covers: Public names of the pair that are exercised; the case's name where not given.
        wrt: Inputs to differentiate; None for every floating one, () for no gradient stage.
        stage: What the outputs are: "forward", "gradient", "update" or "curve".
        jit: Whether JAX compiles the call; False for what cannot be traced.
        carry: Inputs that the outputs give back under the same name: a training state.
        forced: Whether to compare single steps from shared states too; False where another case of the same code does.
        segment: segment(inputs, start, stop): the inputs of those training steps alone.
        conventions: Output paths, or gradients as "gradient/<input path>", whose values may differ, with the reason.
        published: Numbers that a source prints.
        seed: Of the generator given to `inputs`.
        witness: A third implementation in NumPy for the outputs that it names, called with the inputs; its numbers are
            printed beside the two.

    Examples:
        >>> case = Case("losses.mean_squared_error", inputs=lambda rng: {"predictions": rng.normal(size=(4, 2))})
        >>> case.concept, case.covered, case.inputs(np.random.default_rng(0))["predictions"].shape
        ('losses', ('mean_squared_error',), (4, 2))
    """

    name: str
    inputs: Callable[[np.random.Generator], Inputs] = lambda rng: {}
    call: Callable[..., Any] | None = None
    covers: tuple[str, ...] | None = None
    wrt: tuple[str, ...] | None = None
    stage: str = "forward"
    jit: bool = True
    carry: tuple[str, ...] = ()
    forced: bool = True
    segment: Callable[[Inputs, int, int], Inputs] | None = None
    conventions: Mapping[str, str] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    seed: int = 0
    witness: Callable[[Inputs], Mapping[str, Any]] | None = None

    @property
    def concept(self) -> str:
        """The pair that the case belongs to."""
        return self.name.partition(".")[0]

    @property
    def short_name(self) -> str:
        """The name without its concept."""
        return self.name.partition(".")[2]

    @property
    def covered(self) -> tuple[str, ...]:
        """Public names of the pair that this case exercises."""
        return self.covers if self.covers is not None else (self.short_name,)

    def function(self, package: str) -> Callable[..., Any]:
        """The case as a function of its inputs on one side.

        Args:
            package: "torch_impl" or "jax_impl".

        Returns:
            A function of the inputs by name.
        """
        module = importlib.import_module(f"{package}.{self.concept}")
        if self.call is None:
            return getattr(module, self.short_name)
        call = self.call
        return lambda **inputs: call(module, **inputs)
