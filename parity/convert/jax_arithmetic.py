"""JAX's primitives on NumPy arrays at float64: what a search in pieces can afford; the rest by JAX."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parity.convert.affine import Affine
from parity.sides import jax_backend
from parity.sides.jax_graph import is_low, wide

jax = jax_backend.start()

Params = Mapping[str, Any]


def _broadcast(array: np.ndarray, params: Params) -> np.ndarray:
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], array.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(array.reshape(shape), params["shape"])


def _slice(array: np.ndarray, params: Params) -> np.ndarray:
    strides = params["strides"] or (1,) * array.ndim
    return array[tuple(map(slice, params["start_indices"], params["limit_indices"], strides))]


def _split(array: np.ndarray, params: Params) -> list[np.ndarray]:
    return np.split(array, np.cumsum([int(n) for n in params["sizes"]])[:-1], axis=params["axis"])


MOVES: dict[str, Callable[[np.ndarray, Params], Any]] = {
    "reshape": lambda a, p: a.reshape(p["new_sizes"]),
    "transpose": lambda a, p: a.transpose(p["permutation"]),
    "squeeze": lambda a, p: a.squeeze(tuple(p["dimensions"])),
    "expand_dims": lambda a, p: np.expand_dims(a, tuple(p["dimensions"])),
    "broadcast_in_dim": _broadcast,
    "rev": lambda a, p: np.flip(a, tuple(p["dimensions"])),
    "slice": _slice,
    "split": _split,
    "index": lambda a, p: a[p["at"]],
    "copy": lambda a, p: a,
    "copy_p": lambda a, p: a,
    "sharding_constraint": lambda a, p: a,
    "reduce_precision": lambda a, p: a,
}
"""What moves the elements of one array."""

GATHERS: dict[str, Callable[..., np.ndarray]] = {
    "concatenate": lambda arrays, p: np.concatenate(arrays, axis=p["dimension"]),
    "stack": lambda arrays, p: np.stack(arrays),
}
"""What joins arrays."""

WHOLE = frozenset((*MOVES, "gather", "convert_element_type"))
"""What takes its elements from one array as they are, so that it may be done before its weights are known."""

SELECTING = frozenset("gather dynamic_slice dynamic_update_slice pad scatter".split())
"""What moves elements as indices or values tell; JAX itself does it."""

NUMPY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "sqrt": np.sqrt,
    "square": np.square,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "logistic": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "abs": np.abs,
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    "pow": np.power,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "is_finite": np.isfinite,
}

REDUCTIONS: dict[str, Callable[..., Any]] = {"reduce_sum": np.sum, "reduce_max": np.max, "reduce_min": np.min}


def evaluate(name: str, primitive: Any, params: Params, operands: list[Any]) -> list[Any]:
    """One operation on numbers.

    Args:
        name: The primitive's name, or "index" or "stack".
        primitive: The primitive.
        params: Its parameters.
        operands: NumPy arrays; keys of random streams as JAX has them.

    Returns:
        Its results; floats are float64 whatever dtype was asked for.
    """
    if not any("key<" in str(getattr(x, "dtype", "")) for x in operands):
        known = _by_numpy(name, params, [np.asarray(x) for x in operands])
        if known is not None:
            return known if isinstance(known, list) else [known]
    elif primitive is None:  # a scan's slices of its keys, or the keys that it gathers
        return [operands[0][params["at"]] if name == "index" else jax.numpy.stack(operands)]
    with jax.enable_x64(True):
        results = primitive.bind(*map(jax.numpy.asarray, operands), **raised(params))
    return [_host(r) for r in (results if primitive.multiple_results else [results])]


def _by_numpy(name: str, params: Params, operands: list[np.ndarray]) -> Any:
    with np.errstate(all="ignore"):
        if name in MOVES:
            return MOVES[name](operands[0], params)
        if name in GATHERS:
            return GATHERS[name](operands, params)
        if name in NUMPY:
            return np.asarray(NUMPY[name](*operands))
        if name in REDUCTIONS:
            return np.asarray(REDUCTIONS[name](operands[0], axis=tuple(params["axes"])))
        if name == "div" and operands[0].dtype.kind == "f":
            return operands[0] / operands[1]
        if name == "integer_pow":
            return operands[0] ** np.float64(params["y"]) if operands[0].dtype.kind == "f" else None
        if name == "convert_element_type":
            wanted = wide(np.dtype(params["new_dtype"]))
            return operands[0].astype(wanted) if not (operands[0].dtype.kind == "f" and wanted.kind in "iu") else None
        if name == "dot_general" and operands[0].dtype.kind == operands[1].dtype.kind == "f":
            return dot_general(operands[0], operands[1], params["dimension_numbers"])
        if name == "select_n" and len(operands) == 3 and operands[0].dtype.kind == "b":
            return np.where(operands[0], operands[2], operands[1])
    return None


def dot_general(left: np.ndarray, right: np.ndarray, dimensions: Any) -> np.ndarray:
    """JAX's dot_general: batch axes first, then the rest of the left, then of the right."""
    (left_summed, right_summed), (left_batch, right_batch) = dimensions
    a, b = list(range(left.ndim)), [left.ndim + k for k in range(right.ndim)]
    for i, j in zip((*left_summed, *left_batch), (*right_summed, *right_batch), strict=True):
        b[j] = a[i]
    rest = [a[k] for k in range(left.ndim) if k not in (*left_summed, *left_batch)]
    rest += [b[k] for k in range(right.ndim) if k not in (*right_summed, *right_batch)]
    return np.asarray(np.einsum(left, a, right, b, [a[k] for k in left_batch] + rest, optimize=True))


def raised(params: Params) -> dict[str, Any]:
    """Parameters of a primitive with every low dtype raised."""

    def full(value: Any) -> Any:
        try:
            return wide(np.dtype(value)) if isinstance(value, (type, np.dtype)) and is_low(np.dtype(value)) else value
        except TypeError:
            return value

    return {key: full(value) for key, value in params.items()}


def moved(name: str, primitive: Any, params: Params, operands: list[Any]) -> list[Affine] | None:
    """One operation that only moves elements, on arrays that hold weights.

    Args:
        name, primitive, params: As for `evaluate`.
        operands: Affine arrays and numbers.

    Returns:
        Its results; None for an operation that does more.
    """
    if name == "convert_element_type":
        return [next(x for x in operands if isinstance(x, Affine))]
    if name in MOVES:
        return _joined([[_listed(MOVES[name](part, params)) for part in _parts(operands[0])]])
    if name in GATHERS:
        columns = zip(*(_parts(x) for x in operands), strict=True)
        return _joined([[[GATHERS[name](list(column), params)] for column in columns]])
    if name == "select_n" and not isinstance(operands[0], Affine) and np.asarray(operands[0]).dtype.kind == "b":
        return _joined([[[np.where(operands[0], b, a)] for a, b in zip(*map(_parts, operands[1:]), strict=True)]])
    floating = [k for k, x in enumerate(operands) if isinstance(x, Affine) or np.asarray(x).dtype.kind == "f"]
    if name == "gather" and isinstance(operands[0], Affine) and operands[0].alike:
        rows = evaluate(name, primitive, params, [operands[0].ids.astype(np.float64), *operands[1:]])[0]
        if (rows > 0).all():  # none outside, which is NaN
            return [operands[0].moved(rows.astype(operands[0].ids.dtype))]
    if name in SELECTING:
        parts = []
        for k in range(3):
            # Numbers of weights as floats: what lies outside is then NaN, on the way to no weight.
            chosen = [_parts(x)[k].astype(np.float64) if i in floating else x for i, x in enumerate(operands)]
            parts.append(evaluate(name, primitive, params, chosen))
        parts[1] = [np.nan_to_num(found).astype(np.int64) for found in parts[1]]
        return _joined([parts])
    return None


def _listed(value: Any) -> list[np.ndarray]:
    return value if isinstance(value, list) else [value]


def _parts(value: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    affine = value if isinstance(value, Affine) else Affine.number(value)
    return affine.coef, affine.ids, affine.off


def _joined(groups: list[list[list[np.ndarray]]]) -> list[Affine]:
    coef, ids, off = groups[0]
    return [
        Affine(np.asarray(c), np.maximum(np.asarray(i), 0), np.asarray(o))
        for c, i, o in zip(coef, ids, off, strict=True)
    ]


def _host(value: Any) -> Any:
    if "key<" in str(value.dtype):
        return value
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind == "f" or array.dtype.name == "bfloat16" else array
