"""Every element of every weight has a number; so a mapping is known element by element before it is a pattern."""

from collections.abc import Mapping

import numpy as np


class Numbering:
    """Numbers from 1 on for the elements of named arrays.

    Args:
        shapes: Of each array by name.

    Examples:
        >>> numbering = Numbering({"w": (2, 2), "b": (2,)})
        >>> numbering.ids["b"]
        array([5, 6], dtype=int32)
        >>> numbering.names_of(np.array([5, 1]))
        ['w', 'b']
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self.names = list(shapes)
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes.values()]
        self.starts = np.concatenate([[1], 1 + np.cumsum(sizes)]).astype(np.int64)
        self.count = int(self.starts[-1]) - 1
        dtype = np.int32 if self.count < 2**31 - 1 else np.int64  # half the memory, of which a large model needs much
        self.ids = {
            name: np.arange(start, start + size, dtype=dtype).reshape(shapes[name])
            for name, start, size in zip(self.names, self.starts, sizes, strict=False)
        }

    def leaf(self, ids: np.ndarray) -> np.ndarray:
        """The index of the array that each number is in."""
        return np.searchsorted(self.starts, ids, side="right") - 1

    def size_of(self, number: int) -> int:
        """How many elements the array has that a number is in."""
        return self.ids[self.names[int(self.leaf(np.array(number)))]].size

    def names_of(self, ids: np.ndarray) -> list[str]:
        """The names of the arrays that numbers are in, in the arrays' order."""
        ids = ids[ids > 0]
        return [self.names[k] for k in np.unique(self.leaf(ids))]

    def values(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """The values of all elements by number; 0.0 for number 0."""
        parts = [np.asarray(arrays[name], np.float64).ravel() for name in self.names]
        return np.concatenate([[0.0], *parts])
