"""A JAX function without its casts to half precision: what it would compute at the dtype that it is handed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parity.sides import jax_backend
from parity.sides.jax_graph import equations, inner_jaxprs, opened

jax = jax_backend.start()

HALF = ("bfloat16", "float16")
INLINED = ("jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "custom_jvp_call", "custom_vjp_call")


def casts(function: Callable[..., Any], *arguments: Any) -> list[str]:
    """Where a function casts to half precision, as "bfloat16 at file.py:12 (function)".

    Args:
        function: Of nests of arrays.
        *arguments: Its arguments, as NumPy has them.

    Returns:
        One text a place, each once.
    """
    from jax._src import source_info_util

    closed = jax.make_jaxpr(function)(*jax.tree.map(_single, arguments))
    found = []
    for equation in equations(closed):
        low = [v.aval.dtype.name for v in equation.outvars if _half(v)]
        if low and equation.primitive.name == "convert_element_type":
            where = source_info_util.summarize(equation.source_info).rpartition("/")[2]
            found.append(f"{low[0]} at {where}")
    return list(dict.fromkeys(found))


def without_casts(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with every half-precision number in it at float32; it can be differentiated."""

    def run(*arguments: Any, **named: Any) -> Any:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments, **named)
        given = jax.tree.leaves((arguments, named))
        return jax.tree.unflatten(jax.tree.structure(shape), _evaluated(closed, given))

    return run


def _evaluated(closed: Any, arguments: Sequence[Any]) -> list[Any]:
    jaxpr, constants = opened(closed)
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, map(_raised, constants), strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        operands = [_literal(v) if hasattr(v, "val") else values[v] for v in equation.invars]
        values.update(zip(equation.outvars, _equation(equation, operands), strict=True))
    return [_literal(v) if hasattr(v, "val") else values[v] for v in jaxpr.outvars]


def _equation(equation: Any, operands: list[Any]) -> Sequence[Any]:
    primitive = equation.primitive
    if primitive.name in INLINED and any(_half(v) for inner in inner_jaxprs(equation) for v in _variables(inner)):
        for inner in inner_jaxprs(equation):
            if len(opened(inner)[0].invars) == len(operands):
                return _evaluated(inner, operands)
    params = {k: jax.numpy.dtype("float32") if _is_half(v) else v for k, v in equation.params.items()}
    results = primitive.bind(*operands, **primitive.get_bind_params(params))
    return results if primitive.multiple_results else [results]


def _literal(variable: Any) -> Any:
    return _raised(jax.numpy.asarray(variable.val, variable.aval.dtype))


def _variables(closed: Any) -> list[Any]:
    return [v for e in equations(closed) for v in (*e.invars, *e.outvars)]


def _half(variable: Any) -> bool:
    return hasattr(variable.aval, "dtype") and variable.aval.dtype.name in HALF


def _is_half(value: Any) -> bool:
    return isinstance(value, np.dtype) and value.name in HALF


def _raised(value: Any) -> Any:
    return jax.numpy.asarray(value, "float32") if getattr(value.dtype, "name", "") in HALF else value


def _single(leaf: Any) -> Any:
    floating = isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"
    return leaf.astype(np.float32) if floating else leaf
