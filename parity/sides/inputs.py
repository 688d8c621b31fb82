"""What both sides share outside a framework: nests of NumPy arrays, their names, and cotangents from the host."""

import dataclasses
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from parity.numerics import round_to

LOSS = "loss"


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
    """Whether a leaf is a NumPy array of floating numbers, real or complex."""
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fc"


def element_dtype(leaf: np.ndarray, dtype: str) -> str:
    """What a floating array is turned into at a precision: the dtype itself, or the complex one that holds it.

    No framework has complex numbers of two bfloat16; rounded to it they are kept as complex64.

    Examples:
        >>> element_dtype(np.ones(2), "bfloat16"), element_dtype(np.ones(2) * 1j, "bfloat16")
        ('bfloat16', 'complex64')
    """
    if leaf.dtype.kind == "f":
        return dtype
    return "complex128" if dtype == "float64" else "complex64"


def widened(leaf: np.ndarray) -> np.ndarray:
    """A floating array as float64 or complex128, exactly."""
    return leaf.astype(np.complex128 if leaf.dtype.kind == "c" else np.float64)


def rounded(tree: Any, dtype: str) -> Any:
    """The same nest with every floating array rounded to a dtype and kept as float64; both parts of a complex one."""
    return rebuild(tree, lambda _, leaf: _rounded(leaf, dtype) if is_float(leaf) else leaf)


def _rounded(leaf: np.ndarray, dtype: str) -> np.ndarray:
    if leaf.dtype.kind == "f":
        return round_to(leaf, dtype)
    whole = np.array(leaf, np.complex128, order="C")
    pairs = whole.reshape(*whole.shape, 1).view(np.float64)
    return round_to(pairs, dtype).astype(np.float64).view(np.complex128)[..., 0]


def perturbed(tree: Any, size: float, rng: np.random.Generator) -> Any:
    """The same nest with every floating element x replaced by x (1 + size xi), xi random of mean square 1.

    A complex z becomes z (1 + size (xi + i eta)): an error of size |z| in each of its parts, as its rounding makes. The
    sizes of xi differ, since signs alone would cancel exactly in a sum of two.
    """

    def errors(shape: tuple[int, ...]) -> np.ndarray:
        return rng.choice((-1.0, 1.0), size=shape) * rng.uniform(0.5, 1.5, size=shape) / np.sqrt(13.0 / 12.0)

    def change(_: str, leaf: Any) -> Any:
        if not is_float(leaf):
            return leaf
        xi = errors(leaf.shape) + 1j * errors(leaf.shape) if leaf.dtype.kind == "c" else errors(leaf.shape)
        return np.asarray(leaf * (1.0 + size * xi))

    return rebuild(tree, change)


def signature(inputs: dict[str, Any]) -> tuple[Any, ...]:
    """What a program made for these inputs depends on: shapes and dtypes of arrays, and every other value."""
    return tuple(
        (p, (leaf.shape, leaf.dtype.str) if isinstance(leaf, np.ndarray) else repr(leaf)) for p, leaf in leaves(inputs)
    )


def cotangent(path: str, shape: tuple[int, ...], dtype: str, *, pairs: bool = False) -> np.ndarray:
    """The random cotangent of an output, made from its name and shape alone: both sides have it without meeting.

    Args:
        path: The output's path; "output" where the function returns one array alone.
        shape: Its shape.
        dtype: The dtype whose values it takes.
        pairs: Whether the output is complex; then so is the cotangent.

    Returns:
        Standard normal numbers rounded to the dtype, float64 or complex128, of that shape; for a scalar called "loss"
        the number 1, so that its gradients are those that training uses.
    """
    if path == LOSS and shape == () and not pairs:
        return np.ones(())
    rng = np.random.default_rng(zlib.crc32(f"{path or 'output'}{shape}".encode()))
    if pairs:
        return _rounded(rng.standard_normal(shape) + 1j * rng.standard_normal(shape), dtype)
    return round_to(rng.standard_normal(shape), dtype)
