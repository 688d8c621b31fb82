"""What a jaxpr says of its own outputs: which cannot be had at float64, and which depend on nothing."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from parity.sides import jax_backend

jax = jax_backend.start()

# Primitives whose arithmetic lies outside the graph or in the bits: raising the dtype would change what they mean.
OPAQUE = frozenset(
    "bitcast_convert_type custom_partitioning ffi_call io_callback pallas_call pure_callback tpu_custom_call".split()
)
LIBRARIES = ("/flax/", "/optax/", "/parity/sides/")  # whose lines are shown only where no line of the user's is known


def is_low(dtype: Any) -> bool:
    """Whether a dtype is floating or complex and holds less than float64 does."""
    return jax.dtypes.issubdtype(dtype, np.inexact) and dtype not in (np.float64, np.complex128)


def wide(dtype: Any) -> Any:
    """float64 or complex128 for a dtype that holds less; any other dtype as it is."""
    if not is_low(dtype):
        return dtype
    return np.dtype(np.complex128 if jax.dtypes.issubdtype(dtype, np.complexfloating) else np.float64)


def opened(jaxpr: Any) -> tuple[Any, Sequence[Any]]:
    """A jaxpr, closed or not, and its constants."""
    return getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())


def inner_jaxprs(equation: Any) -> Iterator[Any]:
    """The jaxprs among an equation's parameters."""
    for value in equation.params.values():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            if hasattr(item, "eqns") or hasattr(getattr(item, "jaxpr", None), "eqns"):
                yield item


def scan_layout(params: Any) -> tuple[int, int]:
    """How many of a scan's operands are constants, and how many are carried."""
    if "ft_in" in params:  # jax 0.11
        constants, carried, _ = params["ft_in"].unpack()
        return len(constants), len(carried)
    return params["num_consts"], params["num_carry"]


def equations(jaxpr: Any) -> Iterator[Any]:
    """Every equation of a jaxpr and of those inside it."""
    for equation in opened(jaxpr)[0].eqns:
        yield equation
        for inner in inner_jaxprs(equation):
            yield from equations(inner)


def is_opaque(equation: Any) -> bool:
    """Whether an equation keeps its low precision: it reads the bits of a low number, or computes out of sight."""
    if equation.primitive.name not in OPAQUE:
        return False
    if equation.primitive.name == "bitcast_convert_type":  # numbers made from random bits are exact as they are
        return is_low(_dtype(equation.invars[0]))
    return any(is_low(_dtype(v)) for v in (*equation.invars, *equation.outvars))


def narrow(closed: Any, kept: Callable[[Any], bool] = is_opaque) -> list[str]:
    """Why each output cannot be had at float64.

    Args:
        closed: A ClosedJaxpr.
        kept: Whether an equation keeps its low precision.

    Returns:
        For each output the first such equation that it depends on: its primitive, its dtype and the line of the source;
        "" where there is none.
    """
    jaxpr, _ = opened(closed)
    return _flow(jaxpr, [""] * len(jaxpr.invars), kept)


def _flow(jaxpr: Any, arriving: Sequence[str], kept: Callable[[Any], bool]) -> list[str]:
    reasons: dict[Any, str] = dict(zip(jaxpr.invars, arriving, strict=True))

    def of(variable: Any) -> str:
        return "" if hasattr(variable, "val") else reasons.get(variable, "")

    for equation in jaxpr.eqns:
        inputs = [of(v) for v in equation.invars]
        leaving = [_sentence(equation)] * len(equation.outvars) if kept(equation) else _through(equation, inputs, kept)
        reasons.update(zip(equation.outvars, leaving, strict=True))
    return [of(v) for v in jaxpr.outvars]


def _through(equation: Any, inputs: list[str], kept: Callable[[Any], bool]) -> list[str]:
    name, params = equation.primitive.name, equation.params
    everything = _first(inputs)
    if name == "scan":
        body, _ = opened(params["jaxpr"])
        constants, carried = scan_layout(params)
        return _repeated(body, inputs[:constants], inputs[constants : constants + carried], inputs[constants:], kept)
    if name == "while":
        a, b = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        body, condition = opened(params["body_jaxpr"])[0], opened(params["cond_jaxpr"])[0]
        leaving = _repeated(body, inputs[a:b], inputs[b:], inputs[b:], kept)
        (decided,) = _flow(condition, [*inputs[:a], *leaving], kept)
        return [own or decided for own in leaving]
    inner = [opened(j)[0] for j in inner_jaxprs(equation)]
    operands = inputs[1:] if name == "cond" else inputs
    if inner and all(len(j.invars) == len(operands) and len(j.outvars) == len(equation.outvars) for j in inner):
        choice = inputs[0] if name == "cond" else ""
        return [_first([*found, choice]) for found in zip(*(_flow(j, operands, kept) for j in inner), strict=True)]
    hidden = [reason for j in inner for reason in _flow(j, [""] * len(j.invars), kept)]
    return [_first([everything, *hidden])] * len(equation.outvars)


def _repeated(
    body: Any, constants: list[str], carried: list[str], rest: list[str], kept: Callable[[Any], bool]
) -> list[str]:
    """A loop's outputs, once going round it brings nothing new; `rest` is the carry and what follows it."""
    entering, following = list(carried), rest[len(carried) :]
    while True:
        leaving = _flow(body, [*constants, *entering, *following], kept)
        joined = [own or new for own, new in zip(entering, leaving, strict=False)]
        if joined == entering:
            return leaving
        entering = joined


def _first(reasons: Sequence[str]) -> str:
    return next((reason for reason in reasons if reason), "")


def _dtype(variable: Any) -> Any:
    return getattr(variable.aval, "dtype", np.dtype(bool))


def _sentence(equation: Any) -> str:
    dtype = next(
        (_dtype(v).name for v in (*equation.invars, *equation.outvars) if is_low(_dtype(v))),
        _dtype(equation.outvars[0]),
    )
    return f"{equation.primitive.name} works at {dtype}{_line(equation)}"


def _line(equation: Any) -> str:
    from jax._src.source_info_util import user_frames

    frames = list(itertools.islice(user_frames(equation.source_info.traceback), 32))
    own = (f for f in frames if not any(library in f.file_name for library in LIBRARIES))
    frame = next(own, frames[0] if frames else None)
    return f" ({Path(frame.file_name).name}:{frame.start_line}, {frame.function_name})" if frame else ""


def zeros(closed: Any) -> list[bool]:
    """Which outputs are zeros that nothing has gone into: gradients of inputs on which no output depends.

    Args:
        closed: A ClosedJaxpr.

    Returns:
        One boolean for each output.
    """
    jaxpr, constants = opened(closed)
    nothing: dict[Any, bool] = dict.fromkeys(jaxpr.invars, False)
    nothing |= {v: _all_zero(c) for v, c in zip(jaxpr.constvars, constants, strict=True)}

    def of(variable: Any) -> bool:
        return not np.any(np.asarray(variable.val)) if hasattr(variable, "val") else nothing[variable]

    for equation in jaxpr.eqns:
        only_moves = equation.primitive.name in ("broadcast_in_dim", "reshape", "convert_element_type", "transpose")
        empty = only_moves and all(of(v) for v in equation.invars)
        nothing |= dict.fromkeys(equation.outvars, empty)
    return [of(v) for v in jaxpr.outvars]


def _all_zero(constant: Any) -> bool:
    # A random key is no number, and so none that is zero.
    return not jax.dtypes.issubdtype(constant.dtype, jax.dtypes.prng_key) and not np.any(np.asarray(constant))
