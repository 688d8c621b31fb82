"""Arrays of one shape read in step, a bounded piece at a time, whatever their layout."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

SPANS = 2  # fixed, so that sums and ties come out the same on a machine with one core or with many
LARGE = 1 << 20  # elements; below it threads cost more than they bring
COMPILED = 1 << 19  # elements; below it loading the compiled loops (0.6 s once) costs more than they bring

COPIED, STRIP = 1 << 16, 64  # elements of an array that is copied in strips, and along an axis of a strip

T = TypeVar("T")


def pieces(arrays: tuple[np.ndarray, ...], start: int, stop: int, size: int) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Read arrays of one shape in C order, from one flat position to another.

    Contiguous arrays are handed out as views; any other layout (transposed, strided, broadcast, of the other byte
    order) is copied a piece at a time, never whole.

    Args:
        arrays: Two or more arrays of one shape.
        start, stop: Flat positions in C order.
        size: Most elements of a piece.

    Yields:
        The flat position of a piece, and one flat array for each of the arrays.

    Examples:
        >>> square = np.arange(4).reshape(2, 2)
        >>> [(at, left.tolist(), right.tolist()) for at, (left, right) in pieces((square, square.T), 0, 4, 2)]
        [(0, [0, 1], [0, 2]), (2, [2, 3], [1, 3])]
    """
    if start >= stop:
        return
    each: Any = ["readonly", "aligned", "nbo", "contig"]  # NumPy's stubs misspell the last
    walk = np.nditer(
        arrays,
        flags=["external_loop", "buffered", "ranged"],
        op_flags=[each] * len(arrays),
        order="C",
        buffersize=size,
    )
    walk.iterrange = (start, stop)  # type: ignore[misc]  # read-only in NumPy's stubs alone
    for parts in walk:
        # NumPy may make a buffer larger than it was asked for.
        for at in range(0, parts[0].size, size):
            yield start + at, [part[at : at + size] for part in parts]
        start += parts[0].size


def write(source: np.ndarray, target: np.ndarray) -> None:
    """Copy, a large array in strips along the target's densest axis: rows against whole columns miss every cache.

    Examples:
        >>> target = np.empty((3, 2))
        >>> write(np.arange(6).reshape(2, 3).T, target)
        >>> target.tolist()
        [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    """
    dense = min(range(target.ndim), key=lambda axis: abs(target.strides[axis]), default=0)
    if target.size < COPIED or abs(source.strides[dense]) == min(map(abs, source.strides)):
        target[...] = source
        return
    for at in range(0, target.shape[dense], STRIP):
        part = (*[slice(None)] * dense, slice(at, at + STRIP))
        target[part] = source[part]


def in_spans(size: int, work: Callable[[int, int], T]) -> list[T]:
    """Share a range out: a large one in two spans, each on its own thread where there are cores for it.

    The spans do not depend on the cores, so neither does a result that is put together from them in order.

    Args:
        size: Length of the range.
        work: Takes start and stop of a span.

    Returns:
        What the work gave, in the order of the spans.

    Examples:
        >>> in_spans(10, lambda start, stop: (start, stop))
        [(0, 10)]
    """
    if size < LARGE:
        return [work(0, size)]
    edges = [size * k // SPANS for k in range(SPANS + 1)]
    if cores() == 1:
        return [work(*span) for span in pairwise(edges)]
    with ThreadPoolExecutor(min(cores(), SPANS), "parity-errors") as threads:
        return list(threads.map(work, edges, edges[1:]))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
