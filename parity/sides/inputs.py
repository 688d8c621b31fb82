"""What both sides share outside a framework: nests of NumPy arrays, their names, and cotangents from the host."""

import dataclasses
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from parity.numerics import round_to


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested dicts, tuples, lists and dataclasses with their paths, such as "params.W1" or "0".

    Args:
        tree: The nest; anything that is none of these is a leaf. None is no leaf.
        path: Prefix of every path.

    Yields:
        (path, leaf), in the order of the containers.

    Examples:
        >>> list(leaves({"a": 1, "b": (2, [3])}))
        [('a', 1), ('b.0', 2), ('b.1.0', 3)]
    """
    if tree is None:
        return
    children = _children(tree)
    if children is None:
        yield path, tree
        return
    for key, child in children:
        yield from leaves(child, f"{path}.{key}" if path else str(key))


def rebuild(tree: Any, change: Callable[[str, Any], Any], path: str = "") -> Any:
    """The same nest with every leaf replaced by change(path, leaf)."""
    if tree is None:
        return None
    children = _children(tree)
    if children is None:
        return change(path, tree)
    changed = [(key, rebuild(child, change, f"{path}.{key}" if path else str(key))) for key, child in children]
    if isinstance(tree, Mapping):
        return dict(changed)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return dataclasses.replace(tree, **{str(k): v for k, v in changed})
    if hasattr(tree, "_fields"):
        return type(tree)(*(v for _, v in changed))
    return type(tree)(v for _, v in changed)


def _children(tree: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(tree, Mapping):
        return list(tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(zip(tree._fields, tree, strict=True))
    if isinstance(tree, (tuple, list)):
        return list(enumerate(tree))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return [(f.name, getattr(tree, f.name)) for f in dataclasses.fields(tree)]
    return None


def is_float(leaf: Any) -> bool:
    """Whether a leaf is a NumPy array of real floating numbers."""
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"


def rounded(tree: Any, dtype: str) -> Any:
    """The same nest with every floating array rounded to a dtype and kept as float64."""
    return rebuild(tree, lambda _, leaf: round_to(leaf, dtype) if is_float(leaf) else leaf)


def perturbed(tree: Any, size: float, rng: np.random.Generator) -> Any:
    """The same nest with every floating element x replaced by x (1 + size xi), xi = +1 or -1 at random."""

    def change(_: str, leaf: Any) -> Any:
        if not is_float(leaf):
            return leaf
        return np.asarray(leaf * (1.0 + size * rng.choice((-1.0, 1.0), size=leaf.shape)))

    return rebuild(tree, change)


def cotangent(path: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The random cotangent of an output, made from its name and shape alone: both sides have it without meeting.

    Args:
        path: The output's path.
        shape: Its shape.
        dtype: The dtype whose values it takes.

    Returns:
        Standard normal numbers rounded to the dtype, float64, of that shape.
    """
    rng = np.random.default_rng(zlib.crc32(f"{path}{shape}".encode()))
    return round_to(rng.standard_normal(shape), dtype)
