"""A jaxpr at float64 all through, though it casts to less inside: evaluated anew with every number raised."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from parity.sides import jax_backend
from parity.sides.decimals import in_full, is_exact, was_float32
from parity.sides.inputs import widened
from parity.sides.jax_graph import equations, inner_jaxprs, is_low, is_opaque, opened, scan_layout, wide

jax = jax_backend.start()


DOUBLE = 52
"""Stored bits of a float64's significand: a number that is cut to fewer is one of low precision."""


def needs_lifting(closed: Any) -> bool:
    """Whether a jaxpr holds a number of low precision, or a scalar that was one."""
    jaxpr, _ = opened(closed)
    inside = (v for equation in equations(closed) for v in (*equation.invars, *equation.outvars))
    cut = (e for e in equations(closed) if e.primitive.name == "reduce_precision")
    return any(e.params["mantissa_bits"] < DOUBLE for e in cut) or any(
        (hasattr(v.aval, "dtype") and is_low(v.aval.dtype)) or _recovers(v)
        for v in itertools.chain(jaxpr.invars, jaxpr.outvars, inside)
    )


def reads_bits(closed: Any) -> bool:
    """Whether a jaxpr looks at the bits of a float64."""
    return any(
        e.primitive.name == "bitcast_convert_type" and e.invars[0].aval.dtype == np.float64 for e in equations(closed)
    )


def rounded_scalars(closed: Any) -> bool:
    """Whether a jaxpr holds a low-precision scalar whose digits cannot be told: 0.33333334 may have been 1/3."""
    literals = (v for equation in equations(closed) for v in equation.invars if hasattr(v, "val"))
    scalars = (np.asarray(v.val, v.aval.dtype) for v in literals if is_low(v.aval.dtype))
    return any(s.dtype.kind == "f" and in_full(s) == float(s) and not is_exact(float(s)) for s in scalars)


def _recovers(variable: Any) -> bool:
    value = getattr(variable, "val", None)
    return value is not None and variable.aval.dtype == np.float64 and was_float32(value)


class Lifted:
    """A jaxpr, evaluated with every low-precision number raised to float64 or complex128.

    Casts to less become casts to float64, through jit, scan, cond, while, remat, shard_map and the bodies of custom
    derivatives; casts to integers stay. Derivatives are taken before, so a custom rule is in the jaxpr as its author
    wrote it. What must keep its precision (`jax_graph.OPAQUE`, and any primitive that refuses float64) gets its
    operands rounded as before, and its result is widened.

    Args:
        closed: A ClosedJaxpr, traced with x64 on.

    Attributes:
        constants: The low-precision arrays that the program captured, by name, widened.
        refused: Primitives of the program that took no float64, found by evaluating.
    """

    def __init__(self, closed: Any) -> None:
        self.closed = closed
        self.names: dict[int, str] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.refused: set[int] = set()
        self._jitted: dict[int, Any] = {}
        for jaxpr in (closed, *(j for e in equations(closed) for j in inner_jaxprs(e))):
            for value in opened(jaxpr)[1]:
                if is_low(value.dtype) and value.size > 1 and id(value) not in self.names:
                    self.names[id(value)] = f"constant.{len(self.names)}"
                    self.constants[self.names[id(value)]] = widened(np.asarray(value))

    def keeps_precision(self, equation: Any) -> bool:
        """Whether an equation of the program was not raised."""
        return is_opaque(equation) or id(equation) in self.refused

    def __call__(self, constants: Mapping[str, Any], *arguments: Any) -> list[Any]:
        """Evaluate.

        Args:
            constants: An array for each of `constants`, in place of it.
            *arguments: As for the jaxpr; floats float64.

        Returns:
            Its outputs.
        """
        self._given = constants
        self._jitted.clear()
        wanted = [v.aval.dtype for v in opened(self.closed)[0].invars]
        # A program that was traced with x64 off takes its integers as it had them there.
        given = [a if is_low(d) or a.dtype == d else a.astype(d) for a, d in zip(arguments, wanted, strict=True)]
        return self._evaluate(self.closed, given)

    def _evaluate(self, closed: Any, arguments: Sequence[Any]) -> list[Any]:
        from jax._src import source_info_util

        jaxpr, constants = opened(closed)
        values: dict[Any, Any] = dict(zip(jaxpr.constvars, map(self._constant, constants), strict=True))
        values.update(zip(jaxpr.invars, arguments, strict=True))

        def read(variable: Any) -> Any:
            return _literal(variable) if hasattr(variable, "val") else values[variable]

        for equation in jaxpr.eqns:
            with source_info_util.user_context(equation.source_info.traceback), equation.ctx.manager:
                leaving = self._equation(equation, [read(v) for v in equation.invars])
            values.update(zip(equation.outvars, leaving, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _constant(self, value: Any) -> Any:
        if id(value) in self.names:
            return self._given[self.names[id(value)]]
        if is_low(value.dtype):
            return in_full(value) if value.size == 1 and value.ndim == 0 else _raised(value)
        return value

    def _equation(self, equation: Any, values: list[Any]) -> Sequence[Any]:
        name, params = equation.primitive.name, equation.params
        rule = _RULES.get(name)
        if rule is not None:
            return rule(self, params, values)
        if name == "reduce_precision":
            return values
        if self.keeps_precision(equation) or name == "bitcast_convert_type":
            return _as_it_was(equation, values)
        raised = {key: self._parameter(value) for key, value in params.items()}
        try:
            return _bound(equation, values, raised)
        except (TypeError, ValueError, NotImplementedError):
            if not any(hasattr(v.aval, "dtype") and is_low(v.aval.dtype) for v in equation.invars):
                raise
            self.refused.add(id(equation))
            return _as_it_was(equation, values)

    def _parameter(self, value: Any) -> Any:
        if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
            return wide(np.dtype(value))
        if isinstance(value, (jax.lax.DotAlgorithm, jax.lax.DotAlgorithmPreset)):
            return None
        if hasattr(value, "eqns") or hasattr(getattr(value, "jaxpr", None), "eqns"):
            jaxpr, _ = opened(value)
            raised = jax.make_jaxpr(lambda *a: self._evaluate(value, a))(
                *(jax.ShapeDtypeStruct(v.aval.shape, wide(v.aval.dtype)) for v in jaxpr.invars)
            )
            return raised if hasattr(value, "consts") else raised.jaxpr
        return value

    def _called(self, params: Any, values: list[Any]) -> Sequence[Any]:
        return self._evaluate(next(params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in params), values)

    def _jit(self, params: Any, values: list[Any]) -> Sequence[Any]:
        closed = params["jaxpr"]
        if id(closed) not in self._jitted:  # traced once, however often a program calls it
            self._jitted[id(closed)] = jax.jit(lambda *a: self._evaluate(closed, a))
        return self._jitted[id(closed)](*values)

    def _cond(self, params: Any, values: list[Any]) -> Sequence[Any]:
        branches = [lambda *a, b=b: tuple(self._evaluate(b, a)) for b in params["branches"]]
        return jax.lax.switch(values[0], branches, *values[1:])

    def _scan(self, params: Any, values: list[Any]) -> Sequence[Any]:
        fixed, carried = scan_layout(params)

        def body(carry: Any, x: Any) -> tuple[Any, Any]:
            leaving = self._evaluate(params["jaxpr"], [*values[:fixed], *carry, *x])
            return tuple(leaving[:carried]), tuple(leaving[carried:])

        carry, rows = tuple(values[fixed : fixed + carried]), tuple(values[fixed + carried :])
        options = {key: params[key] for key in ("length", "reverse", "unroll")}
        last, stacked = jax.lax.scan(body, carry, rows, **options)
        return [*last, *stacked]

    def _while(self, params: Any, values: list[Any]) -> Sequence[Any]:
        a, b = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        return jax.lax.while_loop(
            lambda carry: self._evaluate(params["cond_jaxpr"], [*values[:a], *carry])[0],
            lambda carry: tuple(self._evaluate(params["body_jaxpr"], [*values[a:b], *carry])),
            tuple(values[b:]),
        )

    def _linear_solve(self, params: Any, values: list[Any]) -> Sequence[Any]:
        lengths = params["const_lengths"]
        start = lengths.matvec + lengths.vecmat
        operands = [*values[start : start + lengths.solve], *values[start + lengths.solve + lengths.transpose_solve :]]
        return self._evaluate(params["jaxprs"].solve, operands)

    def _shard_map(self, params: Any, values: list[Any]) -> Sequence[Any]:
        return jax.shard_map(
            lambda *a: tuple(self._evaluate(params["jaxpr"], a)),
            mesh=params["mesh"],
            in_specs=tuple(params["in_specs"]),
            out_specs=tuple(params["out_specs"]),
            axis_names=params["newly_manual_axes"] if "newly_manual_axes" in params else params["manual_axes"],
            check_vma=params["check_vma"],
        )(*values)


_RULES: dict[str, Callable[[Lifted, Any, list[Any]], Sequence[Any]]] = {
    **dict.fromkeys(
        ("remat2", "checkpoint", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"), Lifted._called
    ),
    "jit": Lifted._jit,
    "pjit": Lifted._jit,
    "cond": Lifted._cond,
    "scan": Lifted._scan,
    "while": Lifted._while,
    "custom_linear_solve": Lifted._linear_solve,
    "shard_map": Lifted._shard_map,
}


def _bound(equation: Any, values: list[Any], params: Any) -> Sequence[Any]:
    given = equation.primitive.get_bind_params(params)
    result = equation.primitive.bind(*values, **given)
    return result if equation.primitive.multiple_results else [result]


CALLED = ("pure_callback", "io_callback", "ffi_call")  # they take what they get: no dtype of an operand is in the graph


def _as_it_was(equation: Any, values: list[Any]) -> Sequence[Any]:
    wanted = [getattr(v.aval, "dtype", None) for v in equation.invars]
    lower = next((v.aval.dtype for v in equation.outvars if is_low(getattr(v.aval, "dtype", bool))), None)
    if equation.primitive.name in CALLED and lower is not None:
        # Its operands were cast to what it returns, and that cast has been raised.
        wanted = [lower if dtype == wide(lower) else dtype for dtype in wanted]
    operands = [
        jax.lax.convert_element_type(value, dtype) if dtype is not None and is_low(dtype) else value
        for value, dtype in zip(values, wanted, strict=True)
    ]
    return [_raised(result) for result in _bound(equation, operands, equation.params)]


def _raised(value: Any) -> Any:
    return jax.lax.convert_element_type(value, wide(value.dtype)) if is_low(value.dtype) else value


def _literal(variable: Any) -> Any:
    dtype = variable.aval.dtype
    if is_low(dtype) and jax.dtypes.issubdtype(dtype, np.floating):
        return np.float64(in_full(np.asarray(variable.val, dtype)))
    if _recovers(variable):
        return np.float64(in_full(np.float32(variable.val)))
    return np.complex128(variable.val) if is_low(dtype) else variable.val
