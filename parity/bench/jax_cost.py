"""What a JAX program has to do, by XLA's own count; a scan's body counts as often as it runs."""

from collections.abc import Iterator
from typing import Any

from parity.bench.floors import Work

BY = "JAX's cost_analysis"


def work(program: Any, moved: int) -> Work:
    """The work of a program.

    Args:
        program: A ClosedJaxpr.
        moved: Bytes of its inputs and outputs.

    Returns:
        The Work; without a count where a loop's length is not known before it runs.
    """
    counted = _cost(program)
    if counted is None:
        return Work(None, f"{BY} knows no length of a while loop", moved)
    loop = ", a scan's body times its length" if loops(program) else ""
    return Work(counted[0], f"{BY}{loop}", moved, counted[1])


def loops(program: Any) -> bool:
    """Whether a program scans, at any depth."""
    return any(True for _ in _loops(program.jaxpr))


def _cost(program: Any) -> tuple[float, float] | None:
    """(flops, bytes accessed), or None where a loop's length is not known."""
    flops, accessed = _counted(program)
    for equation in _loops(program.jaxpr):
        if equation.primitive.name != "scan":
            return None
        body = equation.params["jaxpr"]
        whole = _cost(body)
        if whole is None:
            return None
        length, once = equation.params["length"], _counted(body)
        flops, accessed = flops + length * whole[0] - once[0], accessed + length * whole[1] - once[1]
    return flops, accessed


def _counted(program: Any) -> tuple[float, float]:
    """XLA's own count, which has the body of every loop once, however deep it lies."""
    import jax
    from jax.extend.core import jaxpr_as_fun

    known = jax.jit(jaxpr_as_fun(program)).lower(*program.in_avals).cost_analysis() or {}
    return max(0.0, float(known.get("flops", 0.0))), max(0.0, float(known.get("bytes accessed", 0.0)))


def _loops(jaxpr: Any) -> Iterator[Any]:
    """The outermost loops: inside them is their body's own account."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("scan", "while"):
            yield equation
            continue
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _loops(inner)
