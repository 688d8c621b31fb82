"""A JAX model as one flat list of operations: calls are opened, and a scan over layers or time is unrolled."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.sides.jax_graph import inner_jaxprs, opened, scan_layout

LONGEST = 200_000
"""Steps of an unrolled model; the search interprets each."""

CALLS = frozenset(
    "pjit jit closed_call core_call core_closed_call remat checkpoint remat2 custom_jvp_call custom_vjp_call "
    "custom_vjp_call_jaxpr named_call".split()
)


@dataclass(frozen=True)
class Number:
    """An operand that is known from the start."""

    value: Any


Operand = int | Number


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        name: Its primitive's name; "index" and "stack" stand for what a scan does with its layers.
        primitive: The primitive, or None for those two.
        params: Its parameters.
        operands: Values or numbers of variables.
        results: Numbers of variables.
    """

    name: str
    primitive: Any
    params: Mapping[str, Any]
    operands: tuple[Operand, ...]
    results: tuple[int, ...]


@dataclass
class Steps:
    """A flat program.

    Attributes:
        steps: In order.
        inputs: Variables that the arguments go into.
        outputs: Operands that the results are read from.
    """

    steps: list[Step] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[Operand] = field(default_factory=list)

    @classmethod
    def of(cls, closed: Any) -> "Steps":
        """Flatten a ClosedJaxpr.

        Raises:
            ValueError: If unrolling makes it longer than LONGEST.
        """
        flat = cls()
        counter = itertools.count()
        flat.inputs = [next(counter) for _ in closed.jaxpr.invars]
        flat.outputs = flat._inline(closed, list(flat.inputs), counter)
        return flat

    def _inline(self, closed: Any, arguments: list[Operand], counter: Any) -> list[Operand]:
        jaxpr, constants = opened(closed)
        place: dict[Any, Operand] = dict(zip(jaxpr.invars, arguments, strict=True))
        place |= {v: Number(_host(c)) for v, c in zip(jaxpr.constvars, constants, strict=True)}

        def of(variable: Any) -> Operand:
            return Number(_host(variable.val)) if hasattr(variable, "val") else place[variable]

        for equation in jaxpr.eqns:
            operands = [of(v) for v in equation.invars]
            place.update(zip(equation.outvars, self._equation(equation, operands, counter), strict=True))
        return [of(v) for v in jaxpr.outvars]

    def _equation(self, equation: Any, operands: list[Operand], counter: Any) -> list[Operand]:
        name = equation.primitive.name
        if name in CALLS:
            for inner in inner_jaxprs(equation):
                if len(opened(inner)[0].invars) == len(operands):
                    return self._inline(inner, operands, counter)
        if name == "scan":
            return self._scan(equation.params, operands, counter)
        return self._emit(name, equation.primitive, equation.params, operands, len(equation.outvars), counter)

    def _scan(self, params: Mapping[str, Any], operands: list[Operand], counter: Any) -> list[Operand]:
        constants, carried = scan_layout(params)
        fixed, carry, layers = (
            operands[:constants],
            operands[constants : constants + carried],
            operands[constants + carried :],
        )
        gathered: list[list[Operand]] = []
        order = range(params["length"])
        for at in reversed(order) if params["reverse"] else order:
            slices = [self._emit("index", None, {"at": at}, [layer], 1, counter)[0] for layer in layers]
            results = self._inline(params["jaxpr"], [*fixed, *carry, *slices], counter)
            carry = results[:carried]
            gathered.append(results[carried:])
        if params["reverse"]:
            gathered.reverse()
        stacked = [self._emit("stack", None, {}, list(parts), 1, counter)[0] for parts in zip(*gathered, strict=True)]
        if not gathered:
            raise ValueError("a scan of length 0 has no layers to map")
        return [*carry, *stacked]

    def _emit(
        self, name: str, primitive: Any, params: Mapping[str, Any], operands: list[Operand], results: int, counter: Any
    ) -> list[Operand]:
        if len(self.steps) >= LONGEST:
            raise ValueError(
                f"the JAX model has more than {LONGEST} operations once its scans are unrolled; give shorter inputs"
            )
        new = tuple(next(counter) for _ in range(results))
        self.steps.append(Step(name, primitive, params, tuple(operands), new))
        return list(new)


def _host(value: Any) -> Any:
    """A constant as NumPy; floats in float64, keys of random streams as they are."""
    if "key<" in str(getattr(value, "dtype", "")):
        return value
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind == "f" or array.dtype.name == "bfloat16" else array
