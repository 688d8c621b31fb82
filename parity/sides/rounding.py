"""How many roundings lie on the longest path to each output of a jaxpr, read from the graph."""

import math
from collections.abc import Sequence
from typing import Any

# Primitives that move or choose values and round none of them.
EXACT = frozenset(
    "abs and argmax argmin bitcast_convert_type broadcast_in_dim ceil clamp concatenate convert_element_type copy "
    "copy_p copysign cummax cummin device_put dynamic_slice dynamic_update_slice eq expand_dims floor gather ge gt "
    "imag iota is_finite le lt max min ne neg not or pad pvary real reduce_and reduce_max reduce_min reduce_or "
    "reduce_precision reshape rev round scatter select_n select_and_gather_add select_and_scatter_add "
    "sharding_constraint sign slice sort split squeeze stop_gradient transpose xor".split()
)
# Functions that a library approximates: each is good to some units in the last place, not to half of one.
APPROXIMATED = frozenset(
    "acos acosh asin asinh atan atan2 atanh cbrt cos cosh digamma erf erf_inv erfc exp exp2 expm1 lgamma log log1p "
    "logistic pow rsqrt sin sinh tan tanh".split()
)
APPROXIMATION = 4.0  # roundings that one of them counts as; both frameworks state at most 4 units in the last place
LOOPS = 1024.0  # turns of a `while` whose number cannot be read from the graph


def longest_paths(closed: Any) -> list[float]:
    """Rounding operations on the longest path from the inputs to each output.

    A sum of n terms counts n, an elementwise operation one, a scan its body times its length; what moves data counts
    nothing. Independent roundings add as the root of their number, so sqrt(n) u is the size of the error.

    Args:
        closed: A ClosedJaxpr.

    Returns:
        One number for each output, at least 1.
    """
    jaxpr = closed.jaxpr
    return [max(1.0, depth) for depth in _outputs(jaxpr, [0.0] * len(jaxpr.invars))]


def _outputs(jaxpr: Any, inputs: Sequence[float]) -> list[float]:
    depth: dict[Any, float] = dict(zip(jaxpr.invars, inputs, strict=True))

    def of(variable: Any) -> float:
        return 0.0 if hasattr(variable, "val") else depth.get(variable, 0.0)

    for equation in jaxpr.eqns:
        arriving = [of(v) for v in equation.invars]
        for variable, leaving in zip(equation.outvars, _through(equation, arriving), strict=True):
            depth[variable] = leaving
    return [of(v) for v in jaxpr.outvars]


def _through(equation: Any, arriving: list[float]) -> list[float]:
    """Depth of each output of one equation."""
    name, params = equation.primitive.name, equation.params
    before = max(arriving, default=0.0)
    if name == "scan":
        body = _outputs(params["jaxpr"].jaxpr, [0.0] * len(params["jaxpr"].jaxpr.invars))
        return [before + max(body, default=0.0) * params["length"]] * len(equation.outvars)
    if name == "while":
        body = _outputs(params["body_jaxpr"].jaxpr, [0.0] * len(params["body_jaxpr"].jaxpr.invars))
        return [before + max(body, default=0.0) * LOOPS] * len(equation.outvars)
    if name == "cond":
        taken = [_outputs(branch.jaxpr, arriving[1:]) for branch in params["branches"]]
        return [max(depths) for depths in zip(*taken, strict=True)]
    inner = next((params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in params), None)
    if inner is not None:
        inner = getattr(inner, "jaxpr", inner)
        if len(inner.invars) == len(arriving):
            return _outputs(inner, arriving)
        return [before + max(_outputs(inner, [0.0] * len(inner.invars)), default=0.0)] * len(equation.outvars)
    return [before + _cost(name, equation)] * len(equation.outvars)


def _cost(name: str, equation: Any) -> float:
    params = equation.params
    shapes = [getattr(v.aval, "shape", ()) for v in equation.invars]
    if name in EXACT:
        return 0.0
    if name in APPROXIMATED:
        return APPROXIMATION
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        return max(1.0, float(math.prod(shapes[0][axis] for axis in contracted)))
    if name == "conv_general_dilated":
        kernel = shapes[1]
        return max(1.0, math.prod(kernel) / max(kernel[params["dimension_numbers"].rhs_spec[0]], 1))
    if name in ("reduce_sum", "reduce_prod"):
        return max(1.0, float(math.prod(shapes[0][axis] for axis in params["axes"])))
    if name in ("cumsum", "cumprod", "cumlogsumexp"):
        return max(1.0, float(shapes[0][params["axis"]]))
    if name in ("reduce_window_sum", "reduce_window"):
        return max(1.0, float(math.prod(params["window_dimensions"])))
    if name in ("scatter-add", "scatter_add", "scatter_mul"):
        return max(1.0, float(math.prod(shapes[1][:-1])))
    return 1.0
