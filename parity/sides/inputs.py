"""What both sides share outside a framework: nests of NumPy arrays, their names, and cotangents from the host."""

import dataclasses
import functools
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from parity.numerics import round_to
from parity.numerics.chunks import write

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


def laid_out(leaf: np.ndarray, dtype: str) -> np.ndarray:
    """A floating array's numbers in C order at a dtype of NumPy's, in memory of their own.

    It begins where XLA wants it to, so that either framework takes it over as it is. A copy by NumPy has large pages,
    where one by a framework takes the system's small ones, one after the other.
    """
    size = leaf.size * np.dtype(dtype).itemsize
    room = np.empty(size + ALIGNED, np.uint8)
    start = -room.ctypes.data % ALIGNED
    array = room[start : start + size].view(dtype).reshape(leaf.shape)
    with np.errstate(over="ignore"):
        write(leaf, array)
    return array


def rounded(tree: Any, dtype: str) -> Any:
    """The same nest with every floating array rounded to a dtype and kept as float64; both parts of a complex one."""
    return rebuild(tree, lambda _, leaf: _rounded(leaf, dtype) if is_float(leaf) else leaf)


def _rounded(leaf: np.ndarray, dtype: str) -> np.ndarray:
    if leaf.dtype.name == dtype:
        return leaf
    if leaf.dtype.kind == "f":
        nearest = round_to(leaf, dtype)
        # Weights of a model are of that dtype already: a large array that rounding leaves as it is need not be twice.
        return (
            leaf
            if leaf.size > LARGE and leaf.dtype == np.float64 and np.array_equal(leaf, nearest, equal_nan=True)
            else nearest
        )
    whole = np.array(leaf, np.complex128, order="C")
    pairs = whole.reshape(*whole.shape, 1).view(np.float64)
    return round_to(pairs, dtype).astype(np.float64).view(np.complex128)[..., 0]


ALIGNED = 64
"""Bytes: where XLA's arrays begin."""

STRATA = 8
ROWS = 1024

LARGE = 1 << 20
TILE = 262_147
"""Elements of an array whose errors repeat, and after how many: eight million random numbers take longer than what they
disturb. The period is a prime, so that no row or column of a matrix has one error twice unless it is longer."""


@functools.cache
def strata() -> np.ndarray:
    """In which of eight strata of its distribution an error lies, member by member: of shape (STRATA, ROWS).

    Each row is an order of its own. So the eight members of an ensemble err by every size in either direction once in
    every element, and what a single rounding can reach, a kink or a tie, is reached by one of them: left to chance, one
    element in a hundred with a kink at half a rounding is never moved across it. Two elements of different rows remain
    independent.
    """
    return np.random.default_rng(0).permuted(np.tile(np.arange(STRATA), (ROWS, 1)), axis=1).T.copy()


def perturbed(tree: Any, size: float, seed: int) -> Any:
    """The same nest with every floating element x replaced by x (1 + size xi), xi random of mean square 1.

    A complex z becomes z (1 + size (xi + i eta)): an error of size |z| in each of its parts, as its rounding makes. The
    sizes of xi differ, since signs alone would cancel exactly in a sum of two.

    Args:
        tree: The nest.
        size: The relative size of one rounding.
        seed: Member of the ensemble; eight members that follow on a multiple of eight take all the `strata`.

    Returns:
        The disturbed nest.
    """
    common, own = np.random.default_rng(seed // STRATA), np.random.default_rng(seed)

    def errors(shape: tuple[int, ...]) -> np.ndarray:
        stratum = strata()[seed % STRATA][common.integers(0, ROWS, shape)]
        magnitude = 0.5 + (stratum // 2 + own.random(shape)) / (STRATA // 2)
        return np.where(stratum % 2 == 0, magnitude, -magnitude) / np.sqrt(13.0 / 12.0)

    tile: list[np.ndarray] = []

    def change(_: str, leaf: Any) -> Any:
        if not is_float(leaf):
            return leaf
        if leaf.dtype.kind == "f" and leaf.size > LARGE:
            if not tile:
                tile.append(1.0 + size * errors((TILE,)))
            return _tiled(leaf, tile[0])
        xi = errors(leaf.shape) + 1j * errors(leaf.shape) if leaf.dtype.kind == "c" else errors(leaf.shape)
        return np.asarray(leaf * (1.0 + size * xi))

    return rebuild(tree, change)


def _tiled(leaf: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """A large array with each element multiplied by one of these, which repeat."""
    flat = np.ascontiguousarray(leaf).reshape(-1)
    moved = np.empty(flat.shape)
    for start in range(0, flat.size, len(factors)):
        part = flat[start : start + len(factors)]
        np.multiply(part, factors[: part.size], out=moved[start : start + part.size])
    return moved.reshape(leaf.shape)


def signature(inputs: dict[str, Any]) -> tuple[Any, ...]:
    """What a program made for these inputs depends on: shapes and kinds of arrays, and every other value.

    Floating arrays come to the dtype of the run, whatever they are held in.
    """
    return tuple(
        (p, (leaf.shape, leaf.dtype.kind if is_float(leaf) else leaf.dtype.str))
        if isinstance(leaf, np.ndarray)
        else (p, repr(leaf))
        for p, leaf in leaves(inputs)
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
