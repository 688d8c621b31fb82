"""A JAX function and its VJP for one signature of the inputs: traced, lifted to float64 if need be, compiled."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parity.numerics.dtypes import REFERENCE
from parity.sides import jax_backend, jax_graph
from parity.sides.inputs import cotangent, is_float, leaves, rebuild
from parity.sides.jax_lift import Lifted, needs_lifting, reads_bits, rounded_scalars
from parity.sides.jax_requests import requests_raised
from parity.sides.rounding import longest_paths

jax = jax_backend.start()

TraceResult = tuple[dict[str, Any], dict[str, Any]]

ALIKE = 2.0**-20
"""Two captured arrays are one constant where they differ by at most this part of the largest element: sixteen roundings
of float32, for tables that each side computed in float32 before it was called. A rotary base or a position that is
off by one moves a table by 1e-4 and more."""

HELD = 1 << 20
"""Bytes from which an array that a program holds is handed to it: XLA spends seconds on the operations on a constant of
some fifty megabytes, as the cotangent of a language model's logits is, and writes it to its cache."""

QUICK = {"xla_backend_optimization_level": 0}
"""Halves the time to compile. The run is up to ten times slower, which pays for a program that is run once or so."""


class Program:
    """The function and its VJP, compiled.

    At any dtype but float64 this is the function as the user has it. At float64 its casts to less are lifted: while it
    is traced, and in the jaxpr that comes of it. A function that cannot be traced at float64 (its captured float32
    arrays meet a carry of float64) is traced at float32, and that jaxpr is lifted.

    Args:
        function: Of the inputs by name.
        inputs: The nest that its arguments stand in.
        arrays: The arrays among them, by path.
        dtype: What floating inputs are.
        wrt: Arguments to differentiate with respect to; None for every floating one.
        jit: Whether to compile.
        quick: Whether to spend little time on compiling a float64 program for the CPU.
        lift: Whether to lift a float64 program.

    Attributes:
        differentiable: Paths of the inputs that are differentiated.
        order: Paths of the outputs, in the function's order.
        plain: Those outputs that are no arrays.
        rounding: Roundings on the longest path, narrow: why it is not float64, by "output/..." and "gradient/...".
        unreached: Inputs that no output depends on.
        constants: Low-precision arrays that the function captured, by name.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: dict[str, Any],
        arrays: dict[str, Any],
        *,
        dtype: str,
        wrt: tuple[str, ...] | None,
        jit: bool,
        quick: bool,
        lift: bool = True,
    ) -> None:
        self.function, self.inputs, self.dtype = function, inputs, dtype
        self.differentiable = [
            p for p, leaf in leaves(inputs) if is_float(leaf) and (wrt is None or p.partition(".")[0] in wrt)
        ]
        self.plain: dict[str, Any] = {}
        self.order: list[str] = []
        self.rounding: dict[str, float] = {}
        self.narrow: dict[str, str] = {}
        self.unreached: tuple[str, ...] = ()
        self.constants: dict[str, np.ndarray] = {}
        self._given: dict[str, np.ndarray] = {}
        self.call: Callable[..., TraceResult] = lambda constants, arrays: self._evaluate(arrays)
        options = QUICK if quick else {}
        if dtype == REFERENCE.name and lift:
            self._reference(arrays, jit, options)
        elif jit:
            traced = jax.jit(self._evaluate).trace(arrays)
            self.call = _compiled(traced, arrays, options)
            self._read_graph(traced.jaxpr, traced.out_info)
        else:
            with _untraceable():
                self._read_graph(*jax.make_jaxpr(self._evaluate, return_shape=True)(arrays))

    def __call__(self, arrays: dict[str, Any], constants: Mapping[str, np.ndarray]) -> TraceResult:
        """Run.

        Args:
            arrays: By path.
            constants: In place of those that the function captured.

        Returns:
            (outputs, gradients) by path.
        """
        return self.call(constants, arrays)

    def matched(self, others: Mapping[str, np.ndarray]) -> dict[str, str]:
        """Which of the other side's constants are these, but for the rounding of each: own name to the other's."""
        found: dict[str, str] = {}
        for name, own in self.constants.items():
            mine = np.asarray(own).astype(np.complex128)
            for other, array in others.items():
                if array.shape == mine.shape and other not in found.values():
                    theirs = np.asarray(array)
                    if np.abs(mine - theirs).max(initial=0.0) <= ALIKE * np.abs(mine).max(initial=0.0):
                        found[name] = other
                        break
        return found

    def _reference(self, arrays: dict[str, Any], jit: bool, options: dict[str, Any]) -> None:
        """The program at float64."""
        if not jit:

            def eagerly(constants: Any, arrays: dict[str, Any]) -> TraceResult:
                with requests_raised():
                    return self._evaluate(arrays)

            self.call = eagerly
            with _untraceable(), requests_raised():
                closed, shapes = jax.make_jaxpr(self._evaluate, return_shape=True)(arrays)
                self._read_graph(closed, shapes)
                if needs_lifting(closed):
                    self.call = self._lift(closed, shapes)
            return
        rounded = ""
        try:
            with requests_raised() as asked:
                traced = jax.jit(self._evaluate).trace(arrays)
            if asked and reads_bits(traced.jaxpr):
                raise TypeError("the bits of a float64 are not those of the number that the code means")
        except Exception as error:
            try:
                traced = self._traced_at_float32(arrays)
            except Exception:
                raise error from None  # what is wrong with the function is wrong at any precision
            if rounded_scalars(traced.jaxpr):
                rounded = f"its scalars are float32, since it cannot be traced at float64 ({type(error).__name__})"
        closed, shapes = traced.jaxpr, traced.out_info
        self._read_graph(closed, shapes)
        if not needs_lifting(closed):
            self.call = _compiled(traced, arrays, options)
            return
        lifted = jax.jit(self._lift(closed, shapes)).trace(self.constants, arrays).lower()
        self.call = lifted.compile(compiler_options=options)
        if rounded:
            self.narrow = dict.fromkeys(self.rounding, rounded) | {p: why for p, why in self.narrow.items() if why}

    def _lift(self, closed: Any, shapes: TraceResult) -> Callable[..., TraceResult]:
        lifted = Lifted(closed)
        self.constants = lifted.constants
        structure = jax.tree.structure(shapes)

        def evaluate(constants: dict[str, Any], arrays: dict[str, Any]) -> TraceResult:
            outputs = lifted(constants, *jax.tree.leaves((arrays, self._given)))
            self.narrow = _told(shapes, jax_graph.narrow(closed, lifted.keeps_precision))
            return jax.tree.unflatten(structure, outputs)

        return evaluate

    def _traced_at_float32(self, arrays: dict[str, Any]) -> Any:
        """The program as the user has it; its cotangents become arguments, so that the lifted one has them in full."""
        with jax.enable_x64(False):
            lower = {p: jax.numpy.asarray(np.asarray(a), _lower(a.dtype)) for p, a in arrays.items()}
            outputs = jax.eval_shape(lambda a: self._forward(a, {}), lower) if self.differentiable else {}
            self._given = {
                p: cotangent(p, out.shape, self.dtype, pairs=_is_complex(out))
                for p, out in outputs.items()
                if jax.numpy.issubdtype(out.dtype, jax.numpy.inexact)
            }
            given = {p: c.astype(outputs[p].dtype) for p, c in self._given.items()}
            return jax.jit(self._evaluate).trace(lower, given)

    def _read_graph(self, jaxpr: Any, shapes: TraceResult) -> None:
        self.rounding = _told(shapes, longest_paths(jaxpr))
        empty = _told(shapes, jax_graph.zeros(jaxpr))
        self.unreached = tuple(p for p in self.differentiable if empty[f"gradient/{p}"])

    def _forward(self, arrays: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
        values = {**arrays, **chosen}
        result = self.function(**rebuild(self.inputs, lambda path, leaf: values.get(path, leaf)))
        named = dict(leaves(result))
        self.order = list(named)
        # Strings, shapes and other plain values are known while tracing; they do not pass through the program.
        self.plain = {p: leaf for p, leaf in named.items() if not isinstance(leaf, jax.Array)}
        return {p: self._finished(leaf) for p, leaf in named.items() if isinstance(leaf, jax.Array)}

    def _evaluate(self, arrays: dict[str, Any], cotangents: Mapping[str, Any] | None = None) -> TraceResult:
        if not self.differentiable:
            return self._forward(arrays, {}), {}
        chosen = {p: arrays[p] for p in self.differentiable}
        outputs, pull_back = jax.vjp(lambda chosen: self._forward(arrays, chosen), chosen)
        given = cotangents or {}
        # JAX's gradient by z is the conjugate of torch's; with the conjugate cotangent it is so for every function.
        (gradients,) = pull_back(
            {p: _conjugate(given[p] if p in given else self._cotangent(p, out)) for p, out in outputs.items()}
        )
        return outputs, {p: _conjugate(g) for p, g in gradients.items()}

    def _finished(self, output: Any) -> Any:
        """An output; of a float64 run in float64, so that its cotangent enters in full."""
        if self.dtype != REFERENCE.name or not jax_graph.is_low(output.dtype) or not jax.config.jax_enable_x64:
            return output
        return jax.lax.convert_element_type(output, jax_graph.wide(output.dtype))

    def _cotangent(self, path: str, output: Any) -> Any:
        if not jax.numpy.issubdtype(output.dtype, jax.numpy.inexact):
            return np.zeros(output.shape, jax.dtypes.float0)
        return jax.numpy.asarray(cotangent(path, output.shape, self.dtype, pairs=_is_complex(output)), output.dtype)


def _compiled(traced: Any, arrays: dict[str, Any], options: dict[str, Any]) -> Callable[..., TraceResult]:
    """A traced program, compiled; large arrays that it holds, such as its cotangents, are handed to it as arguments."""
    closed = traced.jaxpr
    large = {k: c for k, c in enumerate(closed.consts) if getattr(c, "nbytes", 0) >= HELD}
    if not large:
        compiled = traced.lower().compile(compiler_options=options)
        return lambda constants, arrays: compiled(arrays)
    structure = jax.tree.structure(traced.out_info)
    held = {k: jax.numpy.asarray(np.asarray(c)) for k, c in large.items()}

    def evaluate(held: dict[int, Any], arrays: dict[str, Any]) -> TraceResult:
        consts = [held.get(k, c) for k, c in enumerate(closed.consts)]
        return jax.tree.unflatten(structure, jax.core.eval_jaxpr(closed.jaxpr, consts, *jax.tree.leaves(arrays)))

    program = jax.jit(evaluate).trace(held, arrays).lower().compile(compiler_options=options)
    return lambda constants, arrays: program(held, arrays)


def _told(shapes: TraceResult, values: list[Any]) -> dict[str, Any]:
    """What was found for each output of a jaxpr, by name: jax sorts the keys of a dict."""
    names = [f"{kind}/{p}" for kind, part in zip(("output", "gradient"), shapes, strict=True) for p in sorted(part)]
    return dict(zip(names, values, strict=True))


def _is_complex(array: Any) -> bool:
    return jax.numpy.issubdtype(array.dtype, np.complexfloating)


def _conjugate(array: Any) -> Any:
    return array.conj() if _is_complex(array) else array


def _lower(dtype: Any) -> Any:
    return {"float64": np.float32, "complex128": np.complex64}.get(dtype.name, dtype)


def _untraceable() -> contextlib.AbstractContextManager[None]:
    """What cannot be traced has no graph to read."""
    return contextlib.suppress(jax.errors.JAXTypeError, TypeError)
