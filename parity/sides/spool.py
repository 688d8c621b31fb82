"""Activations on disk: a capture writes each as it comes, so that its memory does not grow with depth."""

import tempfile
from typing import Any, Self

import numpy as np

from parity.sides.inputs import rebuild


class Stored:
    """Where an array lies in a Spool; no dataclass, so that it is a leaf of a nest."""

    __slots__ = ("dtype", "shape", "start")

    def __init__(self, start: int, shape: tuple[int, ...], dtype: str) -> None:
        self.start, self.shape, self.dtype = start, shape, dtype

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bytes(self) -> int:
        """What it takes."""
        return self.size * np.dtype(self.dtype).itemsize


class Spool:
    """A temporary file of arrays, gone when it is closed.

    Examples:
        >>> with Spool() as spool:
        ...     kept = spool.write({"x": np.arange(3.0)})
        ...     spool.read(kept)
        {'x': array([0., 1., 2.])}
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, tree: Any) -> Any:
        """A nest with each array replaced by where it was stored; all else stays."""
        return rebuild(tree, lambda _, leaf: self._written(leaf) if isinstance(leaf, np.ndarray) else leaf)

    def read(self, tree: Any) -> Any:
        """The nest that was written."""
        return rebuild(tree, lambda _, leaf: self._array(leaf) if isinstance(leaf, Stored) else leaf)

    def head(self, stored: Stored, count: int) -> np.ndarray:
        """The first numbers of an array, in one axis; all of it, as it was, where it has no more."""
        if stored.size <= count:
            return self._array(stored)
        return self._array(Stored(stored.start, (count,), stored.dtype))

    def _written(self, array: np.ndarray) -> Stored:
        start = self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(array).tobytes())
        return Stored(start, array.shape, array.dtype.str)

    def _array(self, stored: Stored) -> np.ndarray:
        dtype = np.dtype(stored.dtype)
        self._file.seek(stored.start)
        content = self._file.read(stored.bytes)
        return np.frombuffer(content, dtype).reshape(stored.shape).copy()
